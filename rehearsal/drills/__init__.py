"""Drills: scripted outages with assertions and measurements.

A drill asserts only what the AWS API, the MySQL protocol, DNS and the client show.
A drill influences a controller only as an operator can: arm, disarm, approve, switch over.
"""

from rehearsal.drills.catalogue import DRILLS, Drill, failover_overrides, select_drills

__all__ = ["DRILLS", "Drill", "failover_overrides", "select_drills"]
