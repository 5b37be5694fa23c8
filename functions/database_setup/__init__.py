"""Makes the heartbeat table and the user of health_check, once, at deploy time. Its handler is database_setup.handler.handler."""
