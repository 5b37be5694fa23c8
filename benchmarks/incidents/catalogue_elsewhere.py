"""Incidents of other providers and companies, transferred to a writer in the affected region and a standby in another one."""

from datetime import date

from benchmarks.incidents.model import LONGEST_SECONDS, Incident, Outcome, Stage
from benchmarks.incidents.paths import EVERY_PATH_CUT, PEERING_CUT, WRITER_DOWN, WRITER_DOWN_API_ERRORS
from benchmarks.simulated_regions import REGION_LOST, Cause, Paths

_SAME_FROM_OUTSIDE = (
    "From the standby, a region whose every path is cut looks like a lost one: no observation differs, and the controller "
    "calls. A third place to observe from would be needed; until then the price is the lag of the moment, and the old "
    "writer's volume is kept as a snapshot."
)

OTHER_INCIDENTS: tuple[Incident, ...] = (
    Incident(
        name="joyent-2014-05-27",
        on=date(2014, 5, 27),
        title="Joyent us-east-1: every server of the data center is rebooted",
        cause=Cause.REGION_LOSS,
        source_title="Postmortem for outage of us-east-1",
        source_url="https://www.tritondatacenter.com/blog/postmortem-for-outage-of-us-east-1-may-27-2014",
        documented=(
            "A mistyped command reboots all servers and the control plane at once. Customers are down for 20 to 149 min, 90 % of "
            "them for less than an hour."
        ),
        reconstructed="The writer's region stops at once and is silent for as long as the replay lasts.",
        stages=(Stage(seconds=LONGEST_SECONDS, paths=REGION_LOST),),
        wanted=Outcome.FAILS_OVER,
        why="Nothing in the region serves, and it does not return within Aurora's usual time.",
    ),
    Incident(
        name="azure-2018-09-04",
        on=date(2018, 9, 4),
        title="Azure South Central US: lightning stops the cooling",
        cause=Cause.HALF_LOSS,
        source_title="Postmortem: VSTS 4 September 2018",
        source_url="https://devblogs.microsoft.com/devopsservice/?p=17485",
        documented=(
            "A voltage swell stops the cooling; hardware shuts down in an orderly way, and storage servers are damaged. VSTS is "
            "down for more than 21 h. Microsoft waits and does not fail over, because asynchronous copies would lose data."
        ),
        reconstructed="The database goes down, and the region's control plane still answers, with errors.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=WRITER_DOWN_API_ERRORS,
            ),
        ),
        wanted=Outcome.REQUESTS_APPROVAL,
        why="A region that answers is not lost for certain, and its data returns: operators decide, as Microsoft's did.",
    ),
    Incident(
        name="github-2018-10-21",
        on=date(2018, 10, 21),
        title="GitHub: the primary data center is cut off for 43 s",
        cause=Cause.ISOLATION,
        source_title="October 21 post-incident analysis",
        source_url="https://github.blog/2018-10-30-oct21-post-incident-analysis/",
        documented=(
            "Maintenance of optical equipment cuts the US East Coast data center off from its network hub, for 43 s. Orchestrator "
            "promotes the West Coast, and writes exist on both sides: 24 h 11 min of degraded service."
        ),
        reconstructed="Every path from the standby to the writer's region is cut for 43 s, the replication too.",
        stages=(Stage(seconds=43, paths=EVERY_PATH_CUT),),
        wanted=Outcome.HOLDS,
        why="The writer serves its own region all the time. 43 s of waiting cost less than the writes of a day.",
    ),
    Incident(
        name="gcp-2019-06-02",
        on=date(2019, 6, 2),
        title="Google Cloud, eastern USA: the network is congested",
        cause=Cause.FLAPPING,
        source_title="Google Cloud Networking Incident #19009",
        source_url="https://status.cloud.google.com/incident/cloud-networking/19009",
        documented=(
            "The network control plane of several locations is descheduled, and capacity is lost. Regions have heavy packet "
            "loss for 3 h 19 min to 4 h 25 min."
        ),
        reconstructed="Every path from the standby is cut for 30 s and works for 30 s, for as long as the replay lasts.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=EVERY_PATH_CUT,
                on_seconds=30,
                off_seconds=30,
            ),
        ),
        wanted=Outcome.HOLDS,
        why="The writer works and is seen working twice a minute. The standby's region may be the worse place.",
    ),
    Incident(
        name="cloudflare-2020-11-02",
        on=date(2020, 11, 2),
        title="Cloudflare: a switch forwards some packets only",
        cause=Cause.PARTITION,
        source_title="A Byzantine failure in the real world",
        source_url="https://blog.cloudflare.com/a-byzantine-failure-in-the-real-world/",
        documented=(
            "A switch fails partially. Members of an etcd cluster see different peers, and a database is promoted that did not "
            "need it; the API is degraded for 6 h 33 min."
        ),
        reconstructed="The standby does not reach the database, while the region's own probe and the replication do, for 6 min.",
        stages=(
            Stage(
                seconds=360,
                paths=PEERING_CUT,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="Two of three paths show a working writer.",
    ),
    Incident(
        name="slack-2021-01-04",
        on=date(2021, 1, 4),
        title="Slack: a transit gateway loses packets",
        cause=Cause.PARTITION,
        source_title="Slack's Outage on January 4th 2021",
        source_url="https://slack.engineering/slacks-outage-on-january-4th-2021/",
        documented=(
            "AWS transit gateways do not scale with the traffic of the first working day. Packets between Slack's VPCs are lost, "
            "and the service is down for hours."
        ),
        reconstructed="The peering of the VPCs fails every other 20 s for 10 min, then all the time; Lambda API and replication work.",
        stages=(
            Stage(
                seconds=600,
                paths=PEERING_CUT,
                on_seconds=20,
                off_seconds=20,
            ),
            Stage(
                seconds=600,
                paths=PEERING_CUT,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="The network between the regions is at fault, and the writer serves.",
    ),
    Incident(
        name="ovh-2021-03-10",
        on=date(2021, 3, 10),
        title="OVHcloud Strasbourg: a fire destroys a data center",
        cause=Cause.GRADUAL_LOSS,
        source_title="OVH to Shutter Second Strasbourg Data Center After Smoke Incident (Data Center Frontier)",
        source_url=(
            "https://www.datacenterfrontier.com/featured/article/11428313/"
            "ovh-to-shutter-second-strasbourg-data-center-after-smoke-incident"
        ),
        documented=(
            "A fire destroys SBG2. The power of the whole campus of four buildings is turned off, and the others restart days "
            "later or never."
        ),
        reconstructed="The writer is down for a minute while its region still answers; then the whole region is silent, for good.",
        stages=(
            Stage(
                seconds=60,
                paths=WRITER_DOWN,
            ),
            Stage(seconds=LONGEST_SECONDS, paths=REGION_LOST),
        ),
        wanted=Outcome.FAILS_OVER,
        why="The region is lost, and its data with it.",
    ),
    Incident(
        name="facebook-2021-10-04",
        on=date(2021, 10, 4),
        title="Facebook: the backbone disconnects every data center",
        cause=Cause.ISOLATION,
        source_title="More details about the October 4 outage",
        source_url="https://engineering.fb.com/2021/10/05/networking-traffic/outage-details/",
        documented=(
            "A maintenance command takes down all connections of the backbone and disconnects all data centers from each other. "
            "DNS is withdrawn from the internet. The data centers themselves keep their power."
        ),
        reconstructed="Both regions work, every path between them is cut for hours, and no client reaches either.",
        stages=(Stage(seconds=LONGEST_SECONDS, paths=EVERY_PATH_CUT),),
        wanted=Outcome.HOLDS,
        why="With hindsight: the standby's region has no clients either, and the writer has every write.",
        differs=_SAME_FROM_OUTSIDE,
    ),
    Incident(
        name="azure-2023-01-25",
        on=date(2023, 1, 25),
        title="Azure: the wide area network recomputes its routes",
        cause=Cause.FLAPPING,
        source_title="Azure status history: Azure Networking, global WAN issues (VSG1-B90)",
        source_url="https://azure.status.microsoft/en-us/status/history/",
        documented=(
            "A command on a router makes all routers of the WAN recompute their tables, and meanwhile they forward incorrectly. "
            "Connectivity across regions is impaired from 7:08 UTC; most regions recover by 9:05, all by 12:43."
        ),
        reconstructed="Every path between the regions is cut for 30 s and works for 60 s, for as long as the replay lasts.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=EVERY_PATH_CUT,
                on_seconds=30,
                off_seconds=60,
            ),
        ),
        wanted=Outcome.HOLDS,
        why="The regions work; the network between them does not.",
    ),
    Incident(
        name="gcp-2023-04-25",
        on=date(2023, 4, 25),
        title="Google Cloud Paris: water and fire stop zone after zone",
        cause=Cause.GRADUAL_LOSS,
        source_title="Google Cloud incident: europe-west9, multi-cluster failure",
        source_url="https://status.cloud.google.com/incidents/dS9ps52MUnxQfyDGPfkY",
        documented=(
            "A leaking cooling pipe leads to a fire. First one zone shuts down, then several; Google expects the region to be "
            "unavailable for an extended time."
        ),
        reconstructed=(
            "The writer's zone stops first, and a reader in another zone takes over after 60 s; 10 min later the whole region is "
            "silent."
        ),
        stages=(
            Stage(
                seconds=60,
                paths=WRITER_DOWN,
            ),
            Stage(seconds=600, paths=Paths()),
            Stage(seconds=LONGEST_SECONDS, paths=REGION_LOST),
        ),
        wanted=Outcome.FAILS_OVER,
        why="Aurora saves the first zone; only another region saves the last one.",
    ),
    Incident(
        name="gcp-2025-06-12",
        on=date(2025, 6, 12),
        title="Google Cloud: API requests fail in every region",
        cause=Cause.OBSERVER_FAULT,
        source_title="Google Cloud incident: multiple products, increased 503 errors (Service Control)",
        source_url="https://status.cloud.google.com/incidents/ow5i3PPK96RduMcb1SsW",
        documented=(
            "A policy with blank fields is replicated to all regions within seconds and crashes Service Control. API requests of "
            "most products fail with 503 for hours."
        ),
        reconstructed="The APIs of both regions fail: the standby's RDS API and both Lambda APIs. Both databases work.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=Paths(api_errors=1, rds_unreachable=1, own_function_down=1),
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="Nothing is known about the writer, and a failover call would fail with the same APIs.",
    ),
)
