"""Makes the heartbeat table and the users of health_check and of people, at deploy time. Its handler is database_setup.handler.handler."""
