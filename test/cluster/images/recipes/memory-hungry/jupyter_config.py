# Takes 2.5 GiB and keeps them: every page is written, so they count as used.
import sys

sys.hungry = b"\1" * (5 << 29)
