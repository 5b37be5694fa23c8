"""Simulation of the failover controller and common baselines over years of faults."""
