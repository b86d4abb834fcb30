# Python with pip, and a virtual environment shaped like those of source-to-image:
# of group 0, which may write all of it, because the user ID is anyone's guess.
apt-get update -q
apt-get install -y -q --no-install-recommends python3 python3-pip python3-venv
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/* /var/cache/ldconfig/*

python3 -m venv --system-site-packages /opt/app-root
mkdir -p /opt/app-root/src /opt/app-root/etc
# Files younger than the packages get the packages' date when the layer is packed,
# and byte code is only used when it names the date of its source.
find /opt/app-root -exec touch -h -d "@$EPOCH" {} +
/opt/app-root/bin/python3 -m compileall -q -f /opt/app-root/lib
chgrp -R 0 /opt/app-root
chmod -R g=u /opt/app-root
