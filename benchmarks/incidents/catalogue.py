"""The incidents, in chronological order."""

from benchmarks.incidents.catalogue_aws import AWS_INCIDENTS
from benchmarks.incidents.catalogue_elsewhere import OTHER_INCIDENTS
from benchmarks.incidents.model import Incident

INCIDENTS: tuple[Incident, ...] = tuple(
    sorted((*AWS_INCIDENTS, *OTHER_INCIDENTS), key=lambda incident: (incident.on, incident.name))
)
