"""The command line of `python -m operations`."""
