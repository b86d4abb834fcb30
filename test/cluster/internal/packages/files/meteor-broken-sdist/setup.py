"""Fails as a package does whose C code does not compile."""

import sys

from setuptools import setup

COMPILER = """\
building 'meteor_broken._speedups' extension
gcc -Wall -O2 -fPIC -I/usr/include/python3.11 -c src/speedups.c -o build/temp.linux-x86_64-cpython-311/src/speedups.o
src/speedups.c: In function 'meteor_sum':
src/speedups.c:17:10: fatal error: openssl/meteor.h: No such file or directory
   17 | #include <openssl/meteor.h>
      |          ^~~~~~~~~~~~~~~~~~
compilation terminated.
error: command '/usr/bin/gcc' failed with exit code 1
"""

if "egg_info" not in sys.argv and "dist_info" not in sys.argv:
    sys.stderr.write(COMPILER)
    sys.exit(1)

setup(name="meteor-broken-sdist", version="1.0", py_modules=[])
