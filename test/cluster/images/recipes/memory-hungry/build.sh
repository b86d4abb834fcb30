# Jupyter with a configuration that takes much memory before it listens.
install -m 0644 /mnt/jupyter_config.py /opt/app-root/etc/jupyter/jupyter_config.py
chmod g=u /opt/app-root/etc/jupyter/jupyter_config.py
