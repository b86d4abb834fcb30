"""Writes without end when it is built. Not as fast as it can: the kubelet looks
only every few seconds, and the machine's disk is to survive it."""

import os
import sys
import time

from setuptools import setup

CHUNK = os.urandom(1 << 20)


def write():
    with open(os.path.join(sys.prefix, "meteor-disk-hog"), "wb") as file:
        for written in range(1, 1 << 20):
            file.write(CHUNK)
            file.flush()
            if written % 100 == 0:
                print(f"METEOR-DISK-HOG wrote {written} MiB", flush=True)
            time.sleep(0.01)


if "egg_info" not in sys.argv and "dist_info" not in sys.argv:
    write()

setup(name="meteor-disk-hog", version="1.0", py_modules=[])
