"""The comparison of Prowler's results with the answers."""

from audit.catalogue import Answer, AnswerState
from audit.compare import CheckedResource, compare, report_lines
from audit.prowler import read_results

EAST = "us-east-1"


def answer(check: str, state: AnswerState, *, resources: tuple[str, ...] = ("*",)) -> Answer:
    """Return an answer to one check."""
    where = ("components/network.py",) if state is AnswerState.DONE else ()
    test = "tests/unit/a.py::test_b" if state is AnswerState.EMULATOR else ""
    return Answer(checks=(check,), state=state, reason="because", where=where, resources=resources, test=test)


def result(check: str, resource: str = "arn:aws:ec2:us-east-1:1:vpc/one", *, passed: bool = False) -> CheckedResource:
    """Return the result of a check for one resource."""
    return CheckedResource(check=check, resource=resource, region=EAST, passed=passed, detail="the detail")


def test_finding_without_an_answer_is_new() -> None:
    """A check that no one has judged fails the audit."""
    comparison = compare([result("unknown")], [answer("another", AnswerState.ACCEPTED)])
    assert (comparison.new, comparison.is_clean) == ((result("unknown"),), False)


def test_finding_with_an_answer_is_accepted() -> None:
    """Also one of the account, and one that the embedded AWS causes."""
    for state in (AnswerState.ACCEPTED, AnswerState.ACCOUNT, AnswerState.EMULATOR):
        comparison = compare([result("known")], [answer("known", state)])
        assert comparison.is_clean
        assert [found for _, found in comparison.explained] == [(result("known"),)]


def test_answer_covers_only_its_resources() -> None:
    """A new resource with the same weakness is new."""
    accepted = answer("known", AnswerState.ACCEPTED, resources=(":vpc/one",))
    other = result("known", "arn:aws:ec2:us-east-1:1:vpc/two")
    assert compare([result("known"), other], [accepted]).new == (other,)


def test_fix_that_came_back_is_new() -> None:
    """A passing resource beside it does not hide it."""
    passing = result("fixed", "arn:aws:ec2:us-east-1:1:vpc/two", passed=True)
    comparison = compare([result("fixed"), passing], [answer("fixed", AnswerState.DONE)])
    assert (comparison.new, comparison.fixed, comparison.is_clean) == ((result("fixed"),), (), False)


def test_fix_is_listed_when_its_check_passes() -> None:
    """An exception for another resource does not hide the fix."""
    answers = [answer("check", AnswerState.ACCOUNT, resources=(":vpc/default",)), answer("check", AnswerState.DONE)]
    comparison = compare([result("check", "arn:x:vpc/default"), result("check", passed=True)], answers)
    assert (comparison.fixed, comparison.is_clean) == ((answers[1],), True)


def test_fix_without_a_passing_resource_is_unproven() -> None:
    """A check that did not run shows nothing: an empty account would have no findings either."""
    fixed = answer("check", AnswerState.DONE)
    for results in ([], [result("check", "arn:x:other", passed=True)]):
        wanted = answer("check", AnswerState.DONE, resources=(":vpc/one",)) if results else fixed
        comparison = compare(results, [wanted])
        assert (comparison.unproven, comparison.fixed, comparison.is_clean) == (((wanted, "check"),), (), False)


def test_answer_without_a_finding_is_listed_and_does_not_fail() -> None:
    """A newer Prowler or emulator may no longer report it."""
    unused = answer("known", AnswerState.ACCEPTED)
    comparison = compare([result("known", passed=True)], [unused])
    assert (comparison.unused, comparison.is_clean) == ((unused,), True)


def test_report_has_a_line_for_each_kind() -> None:
    """The last line counts."""
    answers = [
        answer("a", AnswerState.DONE),
        answer("b", AnswerState.ACCEPTED),
        answer("c", AnswerState.DONE),
        answer("d", AnswerState.ACCOUNT),
    ]
    results = [result("a", passed=True), result("b"), result("e"), result("f")]
    lines = report_lines(compare(results, [*answers, answer("e", AnswerState.EMULATOR)]))
    assert [line.split()[0] for line in lines[:-1]] == ["fixed", "accepted", "emulator", "unused", "UNPROVEN", "NEW"]
    assert lines[-1] == "1 fixed, 2 accepted, 1 unproven, 1 new"


def test_results_are_read_from_prowlers_format() -> None:
    """A check that someone has to make by hand is no result."""
    event = {
        "metadata": {"event_code": "vpc_flow_logs_enabled"},
        "status_code": "FAIL",
        "status_detail": "Flow logs are disabled.",
        "resources": [{"uid": "arn:aws:ec2:us-east-1:1:vpc/one", "region": EAST}],
    }
    (read,) = read_results([event, {**event, "status_code": "MANUAL"}])
    assert (read.check, read.resource, read.region) == (
        "vpc_flow_logs_enabled",
        "arn:aws:ec2:us-east-1:1:vpc/one",
        EAST,
    )
    assert (read.passed, read.detail) == (False, "Flow logs are disabled.")
