"""Refuse `python -m build`: the habit means PyPA's build, and would run this instead."""

import sys

MESSAGE = """\
error: build/ is this repository's build library, not PyPA's build, and it is not started this way
hint: run `./invokew --list` for what this repository does; for PyPA's build run `pyproject-build`
"""

if __name__ == "__main__":
    sys.stderr.write(MESSAGE)
    sys.exit(2)
