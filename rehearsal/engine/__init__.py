"""The in-process Pulumi engine."""
