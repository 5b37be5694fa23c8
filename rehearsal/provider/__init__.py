"""The resource provider behind the in-process engine."""
