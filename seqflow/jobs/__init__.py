"""One module per command: files in, files out, whole or not at all."""
