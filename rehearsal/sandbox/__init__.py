"""`python -m rehearsal.sandbox`: an embedded AWS in two regions that runs until it is stopped."""
