"""`python -m seqflow_cli`: the same as `seqflow`."""

import sys

from .main import run

if __name__ == "__main__":
    sys.exit(run())
