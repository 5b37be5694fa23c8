"""One operator command a file, and what they share."""
