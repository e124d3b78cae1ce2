"""The `seqflow` command: each module parses, calls one function of the library and shows its result."""
