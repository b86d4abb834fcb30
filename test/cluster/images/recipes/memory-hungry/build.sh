# Jupyter with a configuration that takes much memory before it listens.
install -m 0664 /mnt/jupyter_config.py /opt/app-root/etc/jupyter/jupyter_config.py
