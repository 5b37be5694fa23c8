"""The emulated network: routes, name resolution, Route 53, CloudWatch alarms."""
