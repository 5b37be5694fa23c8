"""Incidents of AWS, from its post-event summaries."""

from datetime import date

from benchmarks.incidents.model import LONGEST_SECONDS, Incident, Outcome, Stage
from benchmarks.incidents.paths import (
    API_ERRORS,
    API_SILENT,
    COMMITS_HANG,
    WRITER_DOWN,
    WRITER_DOWN_API_ERRORS,
    WRITER_DOWN_API_SILENT,
)
from benchmarks.simulated_regions import HEALTHY, Cause
from functions.failover_controller.model import Peer, Records

_SERVES = "The database serves its clients, and a failover would cost writes and gain nothing."
_CANNOT_COMMIT = (
    "Clients cannot write for longer than Aurora's own recovery takes. The data is intact and returns, so an operator "
    "weighs the wait against the loss."
)
AWS_INCIDENTS: tuple[Incident, ...] = (
    Incident(
        name="aws-2011-04-21",
        on=date(2011, 4, 21),
        title="AWS us-east-1: volumes of one zone are stuck",
        cause=Cause.SATURATED_WRITER,
        source_title="Summary of the Amazon EC2 and Amazon RDS Service Disruption in the US East Region",
        source_url="https://aws.amazon.com/message/65648/",
        documented=(
            "A network change starts a re-mirroring storm. EBS volumes of one zone, and the RDS instances on them, cannot read "
            "or write for hours to days. Twice, EBS calls fail in the whole region."
        ),
        reconstructed=(
            "The writer is on stuck storage. It accepts connections and log-ins, and no commit ends. Aurora's storage spans "
            "three zones, so a loss of one would not do this to it."
        ),
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=COMMITS_HANG,
            ),
        ),
        wanted=Outcome.REQUESTS_APPROVAL,
        why=_CANNOT_COMMIT,
    ),
    Incident(
        name="aws-2012-06-29",
        on=date(2012, 6, 29),
        title="AWS us-east-1: a storm takes the power of a data center",
        cause=Cause.CRASH,
        source_title="Summary of the AWS Service Event in the US East Region",
        source_url="https://aws.amazon.com/message/67457/",
        documented=(
            "A data center of one zone loses power for minutes: EC2, EBS, RDS and load balancers there stop. The control planes "
            "of the whole region are degraded."
        ),
        reconstructed=(
            "The writer is in that data center, and a reader in another zone takes over after 90 s. Meanwhile the Lambda API of "
            "the region answers with errors, as other control planes did. Lambda did not exist."
        ),
        stages=(
            Stage(
                seconds=90,
                paths=WRITER_DOWN_API_ERRORS,
            ),
            Stage(seconds=600, paths=API_ERRORS),
        ),
        wanted=Outcome.NOTIFIES,
        why="Aurora recovers inside the region without loss. An error is an answer: the region is not lost.",
    ),
    Incident(
        name="aws-2012-10-22",
        on=date(2012, 10, 22),
        title="AWS us-east-1: volumes degrade, then are stuck",
        cause=Cause.SATURATED_WRITER,
        source_title="Summary of the October 22, 2012 AWS Service Event in the US-East Region",
        source_url="https://aws.amazon.com/message/680342/",
        documented=(
            "A memory leak in an agent on EBS servers degrades volumes of one zone, which become stuck one after another. RDS "
            "instances are inaccessible, and some do not fail over. API calls are throttled during the recovery."
        ),
        reconstructed=(
            "The writer's statements hang for 20 s and work for 20 s, for 5 min; then no commit ends. As in April 2011, one zone "
            "alone would not do this to Aurora's storage."
        ),
        stages=(
            Stage(
                seconds=300,
                paths=COMMITS_HANG,
                on_seconds=20,
                off_seconds=20,
            ),
            Stage(
                seconds=LONGEST_SECONDS,
                paths=COMMITS_HANG,
            ),
        ),
        wanted=Outcome.REQUESTS_APPROVAL,
        why=_CANNOT_COMMIT,
    ),
    Incident(
        name="aws-2015-09-20",
        on=date(2015, 9, 20),
        title="AWS us-east-1: DynamoDB's metadata service is overloaded",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the Amazon DynamoDB Service Disruption and Related Impacts in the US-East Region",
        source_url="https://aws.amazon.com/message/5467D2/",
        documented=(
            "DynamoDB answers many requests with errors for about five hours from 2:19 PDT. Services that depend on it are "
            "affected: SQS, EC2 Auto Scaling, CloudWatch."
        ),
        reconstructed="The Lambda API of the writer's region fails every other 20 s. The database does not depend on DynamoDB.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=API_ERRORS,
                on_seconds=20,
                off_seconds=20,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why=_SERVES,
    ),
    Incident(
        name="aws-2016-06-04",
        on=date(2016, 6, 4),
        title="AWS Sydney: a storm takes the power of a data center",
        cause=Cause.CRASH,
        source_title="Summary of the AWS Service Event in the Sydney Region",
        source_url="https://aws.amazon.com/message/4372T8/",
        documented=(
            "A voltage sag drains the rotary power supplies of a facility. A large number of instances and volumes of one zone "
            "lose power."
        ),
        reconstructed="The writer is in that zone, a reader in another zone takes over after 75 s, and the rest of the region works.",
        stages=(
            Stage(
                seconds=75,
                paths=WRITER_DOWN,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="Aurora recovers inside the region without loss, within the grace period.",
    ),
    Incident(
        name="aws-2018-11-22",
        on=date(2018, 11, 22),
        title="AWS Seoul: instances cannot resolve names",
        cause=Cause.OBSERVER_FAULT,
        source_title="Summary of the Amazon EC2 DNS Resolution Issues in the Asia Pacific (Seoul) Region",
        source_url="https://aws.amazon.com/message/74876-2/",
        documented=(
            "DNS queries from EC2 instances fail from 8:19 to 9:43 KST, because the resolver fleet has too few hosts. Network and "
            "DNS outside of the instances work."
        ),
        reconstructed=(
            "The writer's own health_check, in the VPC, cannot resolve the cluster's name and reports it as unreachable. The "
            "standby's region resolves it, and connects."
        ),
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=HEALTHY,
                changes={"peer": Peer.DOWN},
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="A connection from the standby's region proves that the writer serves.",
    ),
    Incident(
        name="aws-2019-08-23",
        on=date(2019, 8, 23),
        title="AWS Tokyo: servers of one zone overheat",
        cause=Cause.IN_REGION_FAILURE,
        source_title="Summary of the Amazon EC2 and Amazon EBS Service Event in the Tokyo (AP-NORTHEAST-1) Region",
        source_url="https://aws.amazon.com/message/56489/",
        documented=(
            "A control system stops the cooling of a part of one zone. EC2 servers shut down and EBS volumes degrade from 12:36 "
            "JST, for about six hours; RDS is affected. Some applications in several zones are affected unexpectedly."
        ),
        reconstructed="The writer's server shuts down, and the failover to a reader in another zone does not complete.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=WRITER_DOWN,
            ),
        ),
        wanted=Outcome.FAILS_OVER,
        why="The region's own report proves that the writer is down, the lag is known, and Aurora had its time.",
    ),
    Incident(
        name="aws-2020-11-25",
        on=date(2020, 11, 25),
        title="AWS us-east-1: Kinesis exceeds a limit of threads",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the Amazon Kinesis Event in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/11201/",
        documented=(
            "Kinesis fails for most of a day, and with it Cognito and CloudWatch. Lambda's invocations fail more often for hours, "
            "because their metrics cannot be delivered."
        ),
        reconstructed="Lambda's invocations fail for 40 s of every minute. The database does not depend on Kinesis.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=API_ERRORS,
                on_seconds=40,
                off_seconds=20,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why=_SERVES,
    ),
    Incident(
        name="aws-2021-12-07",
        on=date(2021, 12, 7),
        title="AWS us-east-1: the internal network is congested",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the AWS Service Event in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/12721/",
        documented=(
            "Devices between the internal and the main network are overwhelmed from 7:30 PST, for hours. Control planes and "
            "monitoring time out or fail, among them the EC2 and RDS APIs and CloudWatch. Running instances are not affected."
        ),
        reconstructed=(
            "The Lambda API of the region does not answer for 10 min, then alternates with errors. An ordinary restart of the "
            "writer falls into the silence: 45 s, at its tenth minute. The source reports no such restart."
        ),
        stages=(
            Stage(seconds=600, paths=API_SILENT),
            Stage(
                seconds=45,
                paths=WRITER_DOWN_API_SILENT,
            ),
            Stage(
                seconds=600,
                paths=API_ERRORS,
                on_seconds=30,
                off_seconds=30,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="The silence is older than the restart and says nothing about it. Aurora restarts the writer within its usual time.",
    ),
    Incident(
        name="aws-2022-07-28",
        on=date(2022, 7, 28),
        title="AWS us-east-2: a zone loses power",
        cause=Cause.CRASH,
        source_title="AWS Outage Analysis: July 28, 2022 (ThousandEyes; AWS published no summary)",
        source_url="https://www.thousandeyes.com/blog/aws-outage-analysis-july-28-2022",
        documented=(
            "One zone loses power for about 20 min just before 17:00 UTC. Traffic from other AWS regions to that zone is dropped. "
            "Some applications need up to three hours."
        ),
        reconstructed=(
            "The writer is in that zone, and a reader in another zone takes over after 75 s. The invocations of health_check in "
            "the zone hang for the first 40 s, until Lambda uses other zones."
        ),
        stages=(
            Stage(
                seconds=40,
                paths=WRITER_DOWN_API_SILENT,
            ),
            Stage(
                seconds=35,
                paths=WRITER_DOWN,
            ),
        ),
        wanted=Outcome.HOLDS,
        why="One zone is lost, not the region: Aurora recovers without loss, within the grace period.",
    ),
    Incident(
        name="aws-2023-06-13",
        on=date(2023, 6, 13),
        title="AWS us-east-1: Lambda's front end stops using its capacity",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the AWS Lambda Service Event in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/061323/",
        documented=(
            "Lambda's invocations have more errors and latency from 11:49 to 15:37 PDT, because no new execution environments "
            "can be used. STS, EventBridge and the console are affected."
        ),
        reconstructed="Invocations in the writer's region fail for 10 min, then hang for 10 min. The database works.",
        stages=(
            Stage(seconds=600, paths=API_ERRORS),
            Stage(seconds=600, paths=API_SILENT),
        ),
        wanted=Outcome.NOTIFIES,
        why=_SERVES,
    ),
    Incident(
        name="aws-2024-07-30",
        on=date(2024, 7, 30),
        title="AWS us-east-1: an internal cell of Kinesis is impaired",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the Amazon Kinesis Data Streams Service Event in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/073024/",
        documented=(
            "From 14:45 to 21:37 PDT, services that use the cell have latency and errors: CloudWatch Logs, Firehose, ECS, Lambda, "
            "Redshift, Glue."
        ),
        reconstructed="Invocations of Lambda in the writer's region hang for 20 s of every minute. The database works.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=API_SILENT,
                on_seconds=20,
                off_seconds=40,
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why=f"{_SERVES} One of three paths is unreliable for hours, which operators should know.",
    ),
    Incident(
        name="aws-2025-10-20",
        on=date(2025, 10, 20),
        title="AWS us-east-1: DynamoDB's name has no address; the writer is there",
        cause=Cause.BROWN_OUT,
        source_title="Summary of the Amazon DynamoDB Service Disruption in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/101925/",
        documented=(
            "An empty DNS record cuts DynamoDB off from 23:48 to 2:40 PDT. Afterwards new EC2 instances do not start, and network "
            "load balancers have connection errors until 14:09. Lambda is among the services with errors and latency."
        ),
        reconstructed=(
            "The Lambda API of the writer's region answers with errors for 10 min, then is silent for 10 min. The database works. "
            "The controller of that region lacks its table; the standby's, which acts, has its own."
        ),
        stages=(
            Stage(seconds=600, paths=API_ERRORS),
            Stage(seconds=600, paths=API_SILENT),
        ),
        wanted=Outcome.NOTIFIES,
        why=_SERVES,
    ),
    Incident(
        name="aws-2025-10-20-standby",
        on=date(2025, 10, 20),
        title="AWS us-east-1: DynamoDB's name has no address; the standby is there",
        cause=Cause.OBSERVER_FAULT,
        source_title="Summary of the Amazon DynamoDB Service Disruption in the Northern Virginia (US-EAST-1) Region",
        source_url="https://aws.amazon.com/message/101925/",
        documented="As above.",
        reconstructed="The standby's controller runs, and it cannot read its table: no state, no switch, no lease.",
        stages=(
            Stage(
                seconds=LONGEST_SECONDS,
                paths=HEALTHY,
                changes={
                    "records": Records(
                        failures=dict.fromkeys(("state", "switch", "lease", "lock"), "table: no address for DynamoDB")
                    )
                },
            ),
        ),
        wanted=Outcome.NOTIFIES,
        why="The writer serves. Operators must know that no automatic failover can happen now.",
    ),
)
