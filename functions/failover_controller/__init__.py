"""Watches the global database from one region and promotes that region's cluster when the writer is lost."""
