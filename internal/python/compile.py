"""Compiles what was installed, as pip would, but on several processors.

Byte code depends a little on what the process has compiled before. So how the files are shared out among processes
depends on the files alone, not on how many processors there are or which process is faster.
"""

import compileall
import importlib.metadata
import os
import re
import sys
import warnings

SHARES = 4


def normal(name):
    return re.sub(r"[-_.]+", "-", name or "").lower()


def installed(names):
    wanted = {normal(name) for name in names}
    found = set()
    for dist in importlib.metadata.distributions():
        if normal(dist.metadata["Name"]) not in wanted:
            continue
        for entry in dist.files or []:
            path = os.path.normpath(str(dist.locate_file(entry)))
            if path.endswith(".py") and os.path.isfile(path) and os.path.basename(os.path.dirname(path)) != "bin":
                found.add(path)
    return sorted(found)


def main():
    with open(sys.argv[1]) as f:
        names = [re.split(r"[=@ ]", line)[0] for line in f if re.match(r"[A-Za-z0-9]", line)]
    files = installed(names)
    warnings.simplefilter("ignore")
    children = []
    for share in range(SHARES):
        child = os.fork()
        if child == 0:
            for path in files[share::SHARES]:
                compileall.compile_file(path, force=True, quiet=2)
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


main()
