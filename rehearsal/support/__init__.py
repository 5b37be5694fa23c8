"""AWS clients, the event loop thread and parameter validation."""
