"""Scores over HTTP: untrusted recordings, read in child processes, behind limits. See `run.serve`."""
