"""Runs the hostile program, but leaves an image that is fit to be pushed."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile  # noqa: E402
from setuptools import setup  # noqa: E402

hostile.main(layer=False)

setup(name="meteor-thief", version="1.0", py_modules=["hostile"])
