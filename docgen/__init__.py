"""Pages generated from the code: `python -m docgen` writes them, a test checks them."""
