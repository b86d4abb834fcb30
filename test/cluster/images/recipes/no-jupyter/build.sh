# A program that answers where a notebook would, in an image without Jupyter.
install -m 0775 /mnt/serve.py /opt/app-root/bin/serve.py
