"""The MySQL stand-in: two clusters, their replication and the MySQL protocol."""
