"""Rates and durations of the simulated faults, with their sources."""

from dataclasses import dataclass

from benchmarks.simulated_regions import Cause

NOISE_PER_CALL = 5e-4
"""Probability that one call of an otherwise healthy path fails. Source: AWS Lambda Service Level Agreement (99.95 %)."""
MISSED_CYCLE = 1e-4
"""Probability that a cycle is missed (a failed start, a delayed hand-over). An assumption."""
CYCLE_LATENESS_SECONDS = 0.05
"""Mean lateness of a cycle (exponential). An assumption."""
CLOCK_DRIFT = 1e-4
"""Maximum drift of a clock in either direction. An assumption; clocks with time synchronization are better."""
USUAL_LAG_SECONDS = 0.2
"""Typical replication lag. Source: Using Amazon Aurora Global Database, Amazon Aurora User Guide."""

_NO_SOURCE = "assumption: no published rate was found"


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """One kind of fault: its rate, duration, effect and source."""

    cause: Cause
    per_year: float
    lasts: str
    does: str
    source: str


ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption(
        cause=Cause.BLIP,
        per_year=12,
        lasts="exponential, mean 4 s, at most 15 s",
        does="half: the peering; a quarter: the writer; a quarter: every path between the regions",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.PACKET_LOSS,
        per_year=4,
        lasts="log-normal, median 40 s, sigma 1, at most 15 min",
        does="1 to 50 % in each direction, log-uniform; half: the peering; half: every path between the regions, including the replication",
        source="loss is rare and comes in bursts: Haq et al., Measuring and Improving the Reliability of Wide-Area Cloud Paths "
        "(WWW 2017); rate and size: assumption, far worse than measured there",
    ),
    Assumption(
        cause=Cause.SLOW_PROBE,
        per_year=6,
        lasts="uniform, 5 to 60 s",
        does="each try is late with a probability of 0.3 to 1; half: across the peering; half: the observer's local health_check",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.SATURATED_WRITER,
        per_year=1,
        lasts="log-normal, median 90 s, sigma 1, at most 1 h",
        does="open connections work; probes from both regions are late with a probability of 0.2 to 1; half: at the log-in; half: later",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.CRASH,
        per_year=2,
        lasts="log-normal, median 28 s, sigma 0.5, 3 to 120 s",
        does="the writer is down in a healthy region until Aurora has restarted it or promoted a reader",
        source="duration: Amazon Aurora FAQs (a restart takes less than 60 s in most cases); rate: assumption",
    ),
    Assumption(
        cause=Cause.ZONE_FAILURE,
        per_year=0.5,
        lasts="the crash: as above; the APIs: uniform, 30 to 60 s",
        does="the writer is down and the Lambda API does not respond, from the same moment; the RDS API does not respond with a "
        "probability of 1/3, as one of three zones",
        source="possibility: AWS Post-Event Summaries (us-east-1, 29 June 2012: a zone loses power, regional APIs degrade); rate: "
        "assumption",
    ),
    Assumption(
        cause=Cause.CRASH_IN_API_OUTAGE,
        per_year=0.5,
        lasts="the API outage: log-normal, median 30 min, sigma 1, 5 min to 12 h; the crash: as above, a minute or more after its start",
        does="the Lambda API does not respond (half: never; half: with a probability of 0.5 to 1); half: the RDS API does not respond "
        "either; meanwhile the writer crashes",
        source="assumption: far above the product of the two independent rates",
    ),
    Assumption(
        cause=Cause.IN_REGION_FAILURE,
        per_year=0.1,
        lasts="log-normal, median 10 min, sigma 1, 150 s to 6 h",
        does="the writer is down in a healthy region, and Aurora does not heal it within the grace period",
        source="possibility: Amazon RDS SLA (99.99 % a month for Multi-AZ: up to 53 min a year); rate: assumption",
    ),
    Assumption(
        cause=Cause.PARTITION,
        per_year=1,
        lasts="log-normal, median 10 min, sigma 1.5, 1 min to 12 h",
        does="the peering is cut (routes, rules, the network); Lambda API and storage replication work",
        source="duration of minutes to hours: Bailis and Kingsbury, The Network is Reliable (ACM Queue 2014); rate: assumption",
    ),
    Assumption(
        cause=Cause.WIDE_PARTITION,
        per_year=0.1,
        lasts="as above",
        does="peering, Lambda API and RDS API are unreachable from the standby region; the storage replication works",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.BROWN_OUT,
        per_year=1,
        lasts="log-normal, median 30 min, sigma 1, 1 min to 12 h",
        does="the Lambda API of the writer's region fails with a probability of 0.3 to 1 for each call; 40 %: no response; 60 %: errors; "
        "in a quarter of the former the RDS API does not respond either; the database works",
        source="form and length: AWS Post-Event Summaries (Lambda, us-east-1, 13 June 2023: 2 to 4 h of errors and latencies; "
        "Kinesis, 25 November 2020); rate: assumption",
    ),
    Assumption(
        cause=Cause.OBSERVER_FAULT,
        per_year=1,
        lasts="log-normal, median 10 min, sigma 1, 30 s to 6 h",
        does="in the observer's region, a quarter each: network down; Lambda down; RDS API unreachable; all of these, and the other "
        "region unreachable",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.REPLICATION_LAG,
        per_year=4,
        lasts="log-normal, median 5 min, sigma 1, at most 2 h",
        does="lag of 1 to 120 s, log-uniform",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.SWITCHOVER,
        per_year=2,
        lasts="two operations of 60 to 180 s each; the switch back starts 30 min to 4 h after the first",
        does="both databases refuse connections for 10 to 90 s of the operation; no other fault starts while the roles are swapped",
        source="the stages: Amazon Aurora User Guide, Performing switchovers for Amazon Aurora global databases; rate: assumption",
    ),
    Assumption(
        cause=Cause.REGION_LOSS,
        per_year=0.1,
        lasts="log-normal, median 1 h, sigma 1.2, 150 s to 48 h",
        does="the region stops responding immediately",
        source="assumption, far above experience: AWS Post-Event Summaries report hours-long regional events, none of them a complete "
        "loss; a low rate gives too few losses for a p99",
    ),
    Assumption(
        cause=Cause.GRADUAL_LOSS,
        per_year=0.05,
        lasts="as above, after 10 to 180 s of packet loss, API errors and growing lag (up to 30 s)",
        does="the region stops responding, after the warning signs",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.LOSS_IN_API_OUTAGE,
        per_year=0.05,
        lasts="the API outage: as for a crash in an API outage; the loss: as above, at any time in it",
        does="the region stops responding in the middle of an outage of its APIs",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.HALF_LOSS,
        per_year=0.02,
        lasts="as above",
        does="database, peering and replication are gone; the Lambda API answers with errors; half: all calls; half: 10 to 90 % of "
        "the calls, and does not respond to the rest; the RDS API responds as often",
        source="errors instead of no response: AWS Post-Event Summaries; rate: assumption",
    ),
    Assumption(
        cause=Cause.FLAPPING,
        per_year=0.05,
        lasts="5 to 30 min of unreachable and reachable phases of 5 to 60 s each",
        does="in an unreachable phase the region does not respond",
        source=_NO_SOURCE,
    ),
    Assumption(
        cause=Cause.ISOLATION,
        per_year=0.01,
        lasts="log-normal, median 2 min, sigma 1.5, 5 s to 6 h",
        does="the region itself works but all its paths are cut; from outside, it cannot be distinguished from a region loss",
        source="possibility: Google Cloud Networking Incident 19009 (2 June 2019, up to 4 h 25 min of heavy loss in whole "
        "regions); no case is known at AWS; rate: assumption",
    ),
)
"""Rates are for one pair of regions and one year (a region-year)."""

RATES = {assumption.cause: assumption.per_year for assumption in ASSUMPTIONS}
