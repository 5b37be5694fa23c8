"""Checks that `make check` and the commit hooks run."""
