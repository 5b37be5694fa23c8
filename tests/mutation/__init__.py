"""Mutation check of the decision table: `python -m tests.mutation` lists the changes that the tests detect."""
