"""What a rehearsal prints while it runs."""
