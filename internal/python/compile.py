"""Compiles what was installed, as pip would, but many files on several processors.

Byte code depends a little on what the process has compiled before. So how many processes there are, and how the files
are shared out among them, depends on the files alone, not on how many processors there are or which process is faster.
"""

import compileall
import csv
import os
import re
import sys
import warnings

# Fewer files are compiled before other processes would be up.
MANY = 32
SHARES = 4


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(lock):
    with open(lock) as f:
        return {normal(re.split(r"[=@ ]", line)[0]) for line in f if re.match(r"[A-Za-z0-9]", line)}


def recorded(info):
    """Yields the files of one installed package, as its own list has them."""
    record, installed = os.path.join(info, "RECORD"), os.path.join(info, "installed-files.txt")
    if os.path.exists(record):
        with open(record, newline="") as f:
            for row in csv.reader(f):
                yield os.path.join(os.path.dirname(info), row[0])
    elif os.path.exists(installed):
        with open(installed) as f:
            for line in f:
                yield os.path.join(info, line.strip())


def files(names):
    found = set()
    for folder in sys.path:
        if not os.path.isdir(folder):
            continue
        inside = os.path.realpath(folder) + os.sep
        for entry in os.listdir(folder):
            if not entry.endswith((".dist-info", ".egg-info")) or normal(entry.split("-")[0]) not in names:
                continue
            for path in recorded(os.path.join(os.path.realpath(folder), entry)):
                path = os.path.normpath(path)
                if path.endswith(".py") and path.startswith(inside) and os.path.isfile(path):
                    found.add(path)
    return sorted(found)


def compile_files(paths):
    for path in paths:
        compileall.compile_file(path, force=True, quiet=2)


def main():
    warnings.simplefilter("ignore")
    todo = files(wanted(sys.argv[1]))
    if len(todo) < MANY:
        compile_files(todo)
        return
    children = []
    for share in range(SHARES):
        child = os.fork()
        if child == 0:
            try:
                compile_files(todo[share::SHARES])
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


main()
