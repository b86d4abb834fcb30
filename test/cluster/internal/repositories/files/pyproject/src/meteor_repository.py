"""What a repository of this kind brings."""

from meteor_small import __version__ as small  # noqa: F401
