"""Probes databases over the MySQL protocol; calls no AWS API."""
