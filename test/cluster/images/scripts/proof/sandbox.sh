# Runs a command of an image much as the kubelet does: as process 1 with a
# writable layer, /proc, /dev, and an empty volume over the notebook's home.
# This script is process 1 of a namespace around that one. It stays root's: a
# process that changes its user is no longer told to end with its parent, so the
# command alone would outlive a caller that is killed.
# Arguments: scratch directory, user, working directory, command. $LOWER, the
# image's layers, is meant relative to the current directory.
set -eu
scratch=$1 user=$2 workdir=$3
shift 3
export PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
mount -t tmpfs -o mode=0755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/overlay" "$scratch/root"
root="$scratch/root"
mount -t overlay -o "lowerdir=$LOWER,upperdir=$scratch/upper,workdir=$scratch/overlay" overlay "$root"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
	: > "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/opt/app-root/src"
mount -t tmpfs -o mode=0777 tmpfs "$root/opt/app-root/src"

unshare=$(command -v unshare)
setpriv=$(command -v setpriv)
PATH=$IMAGE_PATH
unset LOWER IMAGE_PATH
exec "$unshare" --pid --fork --mount-proc="$root/proc" \
	"$setpriv" --no-new-privs "$unshare" --root="$root" --wd="$workdir" --setuid "$user" --setgid 0 -- "$@"
