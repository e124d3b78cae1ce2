"""`python -m seqflow_cli`: the same as `seqflow`, and what torchrun starts."""

import sys

from . import team
from .main import run

if __name__ == "__main__":
    code = run()
    team.vanish(code)
    sys.exit(code)
