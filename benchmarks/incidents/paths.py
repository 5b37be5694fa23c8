"""What the paths of several incidents have in common."""

from benchmarks.simulated_regions import Paths

API_ERRORS = Paths(api_errors=1)
"""The Lambda API of the writer's region answers with errors; the database works."""
API_SILENT = Paths(api_silent=1)
"""The Lambda API of the writer's region does not answer; the database works."""
WRITER_DOWN = Paths(writer_down=1)
"""The writer's database does not answer; its region says so."""
WRITER_DOWN_API_ERRORS = Paths(writer_down=1, api_errors=1)
WRITER_DOWN_API_SILENT = Paths(writer_down=1, api_silent=1)
COMMITS_HANG = Paths(slow_query=1)
"""The database accepts log-ins, and no statement of the probes or of the heartbeat ends."""
PEERING_CUT = Paths(peering_cut=1)
"""The standby's region does not reach the database; the Lambda API and the replication work."""
EVERY_PATH_CUT = Paths(peering_cut=1, stream_cut=1, api_unreachable=1, isolated=1)
"""The region works, and nothing outside it can tell."""
