"""Creates the heartbeat table and the database users of health_check and of IAM users at deploy time."""
