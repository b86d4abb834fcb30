"""Makes this interpreter report an old version of Python."""

import collections
import sys

_VersionInfo = collections.namedtuple("version_info", "major minor micro releaselevel serial")

sys.version_info = _VersionInfo(3, 6, 15, "final", 0)
sys.version = "3.6.15 (default, Sep  4 2021, 00:00:00) [stand-in]"
sys.hexversion = 0x03060FF0
