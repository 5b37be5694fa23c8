"""Deadlines, times, errors and terminal output."""
