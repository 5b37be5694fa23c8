"""What AWS refuses and what would lose data, as named and sourced predicates over the registered resources of a stack."""
