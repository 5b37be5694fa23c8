"""docs/security.md: what auditors ask for, and this system's answers, from `audit/catalogue.toml`."""

from collections.abc import Iterable, Iterator

from audit.catalogue import Answer, AnswerState, Control, read_catalogue
from docgen.markdown import table

HEAD = """\
# Security

Generated from `audit/catalogue.toml` by `python -m docgen` (`make docs`); do not edit.

Each control has one of four states:

- *done*: the program does it, always or by the setting that is named;
- *accepted*: it does not, for the reason given;
- *does not apply*: the stack has no such resource;
- *the account's*: the owner of the AWS account decides.

`make audit` deploys production in the sandbox and runs [Prowler](https://github.com/prowler-cloud/prowler) against it.
It prints each finding as fixed, accepted with a reason, or new.
It exits with 1 if one is new, or if Prowler did not see a fix; the workflow `audit` runs it every night.
Who may deploy, and where Pulumi keeps its state, is in [pull requests](pull-requests.md).

## AWS Foundational Security Best Practices

The standard of AWS Security Hub, for the services in which the program has resources.

"""
CHECKOV = """
## Checkov

The checks of Checkov 3.3 that fail, or failed, on the resources that production registers.

"""
PROWLER = """
## Prowler

The checks of Prowler 5.46 that fail, or failed, against production in the sandbox.
*The embedded AWS does not return it* marks what the program sets and the embedded AWS drops, with the test that shows it.

"""


def security_page() -> str:
    """Return the Markdown of the generated page."""
    catalogue = read_catalogue()
    parts = [HEAD, _controls(catalogue.fsbp), CHECKOV, _controls(catalogue.checkov), PROWLER]
    parts.append(table(["check", "resources", "state", "where, or why not"], map(_answer, catalogue.prowler)))
    return "".join(parts)


def _controls(controls: Iterable[Control]) -> str:
    return table(["control", "demand", "state", "where, or why not"], map(_control, controls))


def _control(control: Control) -> list[str]:
    return [", ".join(control.ids), control.title, control.state.value, _where(control)]


def _answer(answer: Answer) -> list[str]:
    names, patterns = (", ".join(f"`{text}`" for text in texts) for texts in (answer.checks, answer.resources))
    return [names, "all" if answer.resources == ("*",) else patterns, answer.state.value, _where(answer)]


def _where(each: Control | Answer) -> str:
    return " ".join(_sentences(each))


def _sentences(each: Control | Answer) -> Iterator[str]:
    if each.where:
        yield f"{', '.join(text if text.startswith('`') else f'`{text}`' for text in each.where)}."
    if each.reason:
        yield each.reason
    if isinstance(each, Answer) and each.state is AnswerState.EMULATOR:
        yield f"Test: `{each.test}`."
