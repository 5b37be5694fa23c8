"""The pages that are made from the code: `python -m documentation` writes them, a test keeps them current."""
