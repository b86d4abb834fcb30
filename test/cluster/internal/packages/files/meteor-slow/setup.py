"""Takes two minutes to build: time for a test to do something in the meantime."""

import sys
import time

from setuptools import setup

if "egg_info" not in sys.argv and "dist_info" not in sys.argv:
    for second in range(120):
        print(f"METEOR-SLOW {second}", flush=True)
        time.sleep(1)

setup(name="meteor-slow", version="1.0", py_modules=[])
