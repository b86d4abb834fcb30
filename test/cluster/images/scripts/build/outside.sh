# Makes a layer with nothing below it: runs build.sh of the recipe in $2 on the
# machine, with $ROOT set to the directory to fill.
set -eu
umask 022
export ROOT="$1/upper"
exec sh -eu "$2/build.sh"
