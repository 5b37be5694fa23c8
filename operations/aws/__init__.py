"""AWS access for the operator commands: clients, queries, failover and switchover calls, state table items."""
