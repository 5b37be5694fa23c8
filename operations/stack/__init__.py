"""The stack under operation: its settings, outputs and resources."""
