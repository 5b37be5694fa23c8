"""Console output of a rehearsal."""
