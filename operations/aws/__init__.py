"""AWS as the operator commands use it: clients, read-only questions, moves, state table items."""
