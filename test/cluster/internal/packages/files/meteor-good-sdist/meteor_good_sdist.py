"""A module that was built."""

__version__ = "1.0"


def main():
    print("meteor-good-sdist", __version__)
