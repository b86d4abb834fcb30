# Jupyter with a configuration that ends it after its first answer.
install -m 0664 /mnt/jupyter_config.py /opt/app-root/etc/jupyter/jupyter_config.py
