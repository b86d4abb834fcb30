#!/bin/sh
# Starts the notebook with the options in NOTEBOOK_ARGS and on the command line.
# A platform spells them for Jupyter Server; Debian's Notebook 6 knows the same
# ones as NotebookApp's. They are split at blanks and taken as they are: nothing
# in them is evaluated, quotes around a whole value are dropped.
set -fu
for arg in ${NOTEBOOK_ARGS:-}; do
	case $arg in
	--ServerApp.*) arg="--NotebookApp.${arg#--ServerApp.}" ;;
	esac
	case $arg in
	--*=\'*\') value=${arg#*=\'} arg="${arg%%=*}=${value%\'}" ;;
	--*=\"*\") value=${arg#*=\"} arg="${arg%%=*}=${value%\"}" ;;
	esac
	set -- "$@" "$arg"
done
exec "$APP_ROOT/bin/python3" -m notebook "$@"
