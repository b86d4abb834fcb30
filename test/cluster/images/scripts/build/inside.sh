# Makes a layer on others: runs build.sh of the recipe in $2 in a chroot on an
# overlay of $LOWER, with the machine's apt sources and name resolution. All
# mounts are in this process's own namespace and end with it.
set -eu
root="$1/root"
mount -t overlay -o "lowerdir=$LOWER,upperdir=$1/upper,workdir=$1/overlay,redirect_dir=off,metacopy=off" overlay "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for node in null zero full random urandom; do
	: > "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
for dir in tmp run; do
	mount -t tmpfs -o mode=1777 tmpfs "$root/$dir"
done
mount --bind "$2" "$root/mnt"

# apt's configuration here is the image's own, with the machine's sources and
# whatever the machine's apt needs to reach them.
mkdir -p "$1/apt"
mount -t tmpfs -o mode=0755 tmpfs "$1/apt"
cp -a "$root/etc/apt/." "$1/apt/"
rm -rf "$1/apt/sources.list.d"
printf '%s' "$SOURCES" > "$1/apt/sources.list"
mkdir -p "$1/apt/apt.conf.d"
apt-config dump | grep -E '^Acquire::(http|https|ftp|Check)' > "$1/apt/apt.conf.d/99machine" || true
for secret in /etc/apt/auth.conf /etc/apt/auth.conf.d; do
	if [ -e "$secret" ]; then cp -a "$secret" "$1/apt/"; fi
done
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
	cp /etc/ssl/certs/ca-certificates.crt "$1/apt/machine-ca.crt"
	echo 'Acquire::https::CAInfo "/etc/apt/machine-ca.crt";' >> "$1/apt/apt.conf.d/99machine"
fi
mount --bind "$1/apt" "$root/etc/apt"
for file in resolv.conf hosts; do
	mount --bind "/etc/$file" "$root/etc/$file"
done

umask 022
cd /
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec chroot "$root" /bin/sh -eu /mnt/build.sh
