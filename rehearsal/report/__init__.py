"""The report of a rehearsal, for people and for machines."""
