"""Asks databases how they are, over the MySQL protocol; calls no AWS API. Its handler is health_check.handler.handler."""
