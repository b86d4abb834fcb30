# Makes a layer with nothing below it: runs build.sh of the recipe in $2 on the
# machine, with $ROOT set to the directory to fill.
set -eu
export ROOT="$1/upper"
exec sh -eu "$2/build.sh"
