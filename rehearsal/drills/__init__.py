"""The drills: what is broken, what must happen, what must not, and what is measured of it.

Owns: the plays and their assertions, written in roles (writer, standby). Does not own: how a region is failed (network.py), who
decides to fail over (the deployed functions), or how it is shown.
Invariant: a drill asserts only what it saw through the API, the MySQL protocol, DNS and the client; none tells the controller anything
but what a person would: the off-switch, an approval, a switchover.
"""

from rehearsal.drills.catalogue import DRILLS, Drill, chosen, failover_overrides

__all__ = ["DRILLS", "Drill", "chosen", "failover_overrides"]
