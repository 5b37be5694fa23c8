"""The real Pulumi CLI, with the embedded AWS as its provider."""
