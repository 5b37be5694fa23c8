"""The report of a rehearsal: data, JSON and HTML page."""
