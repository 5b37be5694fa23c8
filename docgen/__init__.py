"""The pages that are made from the code: `python -m docgen` writes them, a test keeps them current."""
