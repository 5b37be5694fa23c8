"""Checks of `preflight` and `verify`, one topic a file."""
