"""The Lambda functions: one package each, and `shared`, which is packed into every archive."""
