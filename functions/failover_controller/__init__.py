"""Watches the global database from one region, and makes that region the writer when the other one is lost."""
