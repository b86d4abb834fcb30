# Debian has one Python, which is new enough. This is the nearest thing to an old
# one: the python3 on the path is that interpreter, made to say that it is 3.7.17
# to whoever asks it on the command line or in a program. It is a stand-in: its
# standard library and its syntax are those of the real version.
cd /opt/app-root
real=$(readlink -f bin/python3)
rm bin/python bin/python3*
install -D -m 0775 /mnt/python3 bin/python3
ln -s python3 bin/python
mkdir -m 0775 libexec
ln -s "$real" libexec/python3.7
cd lib/python3*/site-packages
install -m 0664 /mnt/stand_in_old_python.py /mnt/stand_in_old_python.pth .
