"""The catalogue: complete, consistent, and true about files, settings and tests."""

import ast
import re
from pathlib import Path

import pytest

from audit.catalogue import Answer, AnswerState, Control, read_catalogue
from docgen.settings import sections

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = read_catalogue()
STANDARD = {
    "DynamoDB": "1 2 3 6 7",
    "EC2": "1 2 3 4 6 7 8 9 10 15 16 17 18 19 20 21 23 24 25 51 55 56 57 58 60 170 171 172 173 180 181",
    "EventBridge": "3",
    "IAM": "1 2 3 4 5 6 7 8 21",
    "KMS": "1 2 3 5",
    "Lambda": "1 2 5",
    "RDS": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 19 20 21 22 23 24 25 27 34 35 36 37 40 41 42 43 44 45 46 47 48",
    "Route53": "2",
    "SNS": "4",
    "SQS": "1 3",
    "SecretsManager": "1 2 3 4",
}
"""The controls of each service in which the program has resources. CloudWatch has none in this standard.

Source: AWS Foundational Security Best Practices standard in Security Hub CSPM, AWS Security Hub User Guide.
"""


def test_every_control_of_the_standard_has_an_answer() -> None:
    """And no other control is listed for these services."""
    listed = {each for control in CATALOGUE.fsbp for each in control.ids}
    expected = {f"{service}.{number}" for service, numbers in STANDARD.items() for number in numbers.split()}
    assert {each for each in listed if each.partition(".")[0] in STANDARD} == expected


@pytest.mark.parametrize("each", [*CATALOGUE.fsbp, *CATALOGUE.checkov, *CATALOGUE.prowler], ids=lambda e: str(e)[:60])
def test_files_and_settings_exist(each: Control | Answer) -> None:
    """What is said to be done can be looked up."""
    settings = {f"{section.path}{name}" for section in sections() for name, _ in section.own_fields()}
    for where in each.where:
        if where.startswith("`"):
            name = where.strip("`").partition(":")[0]
            assert any(setting == name or setting.endswith(f".{name}") for setting in settings), where
        else:
            assert (ROOT / where).is_file(), where
    for path in re.findall(r"docs/[\w/-]+\.md", each.reason):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("answer", [each for each in CATALOGUE.prowler if each.state is AnswerState.EMULATOR], ids=str)
def test_tests_of_what_the_emulator_drops_exist(answer: Answer) -> None:
    """A renamed test must be renamed here."""
    file, _, name = answer.test.partition("::")
    functions = {
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)
    }
    assert name in functions


def test_references_to_other_controls_exist() -> None:
    """A reason that says "see" names a control of this catalogue."""
    ids = {each for control in (*CATALOGUE.fsbp, *CATALOGUE.checkov) for each in control.ids}
    for each in (*CATALOGUE.fsbp, *CATALOGUE.checkov, *CATALOGUE.prowler):
        for name in re.findall(r"[Ss]ee ([A-Z]\w+(?:\.\d+)?)", each.reason):
            assert name in ids, each


@pytest.mark.parametrize(
    ("entry", "mistake"),
    [
        ('ids = ["A.1"]\ntitle = "a"\nstate = "done"', "A.1: done, but nothing says where"),
        ('ids = ["A.1"]\ntitle = "a"\nstate = "accepted"', "A.1: accepted, but without a reason"),
        ('ids = ["A.1", "A.1"]\ntitle = "a"\nstate = "done"\nwhere = ["README.md"]', "A.1: listed twice"),
    ],
)
def test_incomplete_entry_is_refused(tmp_path: Path, entry: str, mistake: str) -> None:
    """The message names the entry."""
    file = tmp_path / "catalogue.toml"
    file.write_text(f"checkov = []\nprowler = []\n[[fsbp]]\n{entry}\n")
    with pytest.raises(ValueError, match=re.escape(mistake)):
        read_catalogue(file)


def test_finding_of_the_emulator_needs_a_test(tmp_path: Path) -> None:
    """Otherwise nothing shows that the program sets it."""
    file = tmp_path / "catalogue.toml"
    entry = f'checks = ["a"]\nstate = "{AnswerState.EMULATOR.value}"\nreason = "It drops it."'
    file.write_text(f"fsbp = []\ncheckov = []\n[[prowler]]\n{entry}\n")
    with pytest.raises(ValueError, match="need a test"):
        read_catalogue(file)
