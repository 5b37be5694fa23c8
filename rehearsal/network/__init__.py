"""The network of the embedded AWS: routes, name resolution, Route 53, CloudWatch alarms."""
