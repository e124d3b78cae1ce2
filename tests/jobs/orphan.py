"""A program for test_pool: its worker is at a task when the program is killed."""

from __future__ import annotations

import sys
from functools import partial

import pool_work

from seqflow.jobs.pool import run_tasks

if __name__ == "__main__":
    for outcome in run_tasks(partial(pool_work.start, ""), ["a", "nap", "b"], workers=1):
        sys.stdout.write(outcome.answer["twice"] + "\n")
        sys.stdout.flush()
