"""The operator's hands: what people do with the failover, as commands of `python -m operations`."""
