"""Code that every Lambda archive contains."""
