# A program that answers where a notebook would, in an image without Jupyter.
install -m 0755 /mnt/serve.py /opt/app-root/bin/serve.py
chmod g=u /opt/app-root/bin/serve.py
