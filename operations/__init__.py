"""The operator's commands: `python -m operations`."""
