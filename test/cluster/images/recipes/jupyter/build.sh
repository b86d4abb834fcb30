# Debian's Jupyter Notebook, started by a script that a notebook platform finds
# on the path, with a kernel that sees what is installed in the virtual environment.
apt-get update -q
apt-get install -y -q --no-install-recommends python3-notebook jupyter-notebook
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/* /var/cache/ldconfig/*

cd /opt/app-root
install -m 0755 /mnt/start-notebook.sh bin/start-notebook.sh
install -D -m 0644 /mnt/jupyter_notebook_config.py etc/jupyter/jupyter_notebook_config.py
install -D -m 0644 /mnt/kernel.json share/jupyter/kernels/python3/kernel.json
chgrp -R 0 bin etc share
chmod -R g=u bin etc share
