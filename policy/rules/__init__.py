"""Rules that AWS or data safety demands of a stack, as named and sourced predicates over its resources."""
