"""Makes this interpreter report an old version of Python.

Debian's packages refuse to work when they believe it, so the notebook itself is
started with STAND_IN=off.
"""

import collections
import os
import sys

_VersionInfo = collections.namedtuple("version_info", "major minor micro releaselevel serial")

if os.environ.get("STAND_IN") != "off":
    sys.version_info = _VersionInfo(3, 7, 17, "final", 0)
    sys.version = "3.7.17 (default, Jun  6 2023, 00:00:00) [stand-in]"
    sys.hexversion = 0x030711F0
