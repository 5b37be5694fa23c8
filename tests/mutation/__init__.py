"""The decision table changed on purpose, row by row: `python -m tests.mutation` says which changes the tests notice."""
