"""Runs the hostile program whenever pip looks at it, and then installs well."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile  # noqa: E402
from setuptools import setup  # noqa: E402

hostile.main()

setup(name="meteor-hostile", version="1.0", py_modules=["hostile"])
