"""docs/reference/settings.md: every setting, its default, what it may be and what it is for.

Owns: the page's words around the tables. Does not own: the settings (`settings/model.py`), whose descriptions are quoted.
Invariant: every setting stands on the page once; one without a description stops the making of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docgen.markdown import table
from settings import Settings
from settings.errors import section_of

UNSET = {
    "availability_zones": "asked from AWS",
    "zone_name": "<project>-<environment>.internal",
    "maintenance_window": "chosen by AWS",
    "backup_window": "chosen by AWS",
    "route_table_ids": "the VPC's main one",
}
"""Settings that are nothing by default -> what happens then."""

HEAD = """\
# Settings

Made from the model in `settings/model.py` by `python -m docgen` (`make docs`); do not edit.

`pulumi config set --path aurora-global-database:failover.mode observe` sets one; or edit `Pulumi.<stack>.yaml`, as `Pulumi.prod.yaml` does.
A mistake is one line that names the setting, what is wrong and what would do; all of them are told at once, before anything is created.
What only AWS knows of an existing VPC is asked in the preview, and told the same way.
"""

NOT_SETTINGS = """\

## What is no setting

- Deletion protection, final snapshots, recovery windows of keys and secrets: `environment: prod` has them.
  No other stack has, so that any other can be destroyed.
- TLS, encryption, IAM log-ins, the event scheduler, the audit log's switch: always on; the failover or the audit rests on each.
- The master password: generated, and kept in Secrets Manager in both regions.
  It is [rotated](../runbook/rotate-master-password.md) without this program.
- Rights within the database beyond the two levels of `database.iam_users` ([how people get access](../runbook/grant-database-access.md)).
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of the page."""

    path: str
    model: type[BaseModel]
    is_optional: bool

    def own_fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the settings that stand in this section's own table."""
        for name, field in self.model.model_fields.items():
            if section_of(field.annotation) is None:
                yield name, field


def sections(model: type[BaseModel] = Settings, path: str = "", *, is_optional: bool = False) -> Iterator[Section]:
    """Yield the sections of a model, each before those inside it."""
    yield Section(path=path, model=model, is_optional=is_optional)
    for name, field in model.model_fields.items():
        if inner := section_of(field.annotation):
            yield from sections(inner, f"{path}{name}.", is_optional=field.default is None)


def shown_default(key: str, field: FieldInfo) -> str:
    """Return a setting's default as the tables show it."""
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if default in (None, (), {}):
        return UNSET.get(key.rsplit(".", 1)[-1], "none")
    return f"`{_plain(default)}`"


def settings_page() -> str:
    """Return the page.

    Raises:
        ValueError: a setting has no description.
    """
    return "".join([HEAD, *(_section(each) for each in sections()), NOT_SETTINGS])


def _section(section: Section) -> str:
    title = f"`{section.path.rstrip('.')}`" if section.path else "The stack"
    rows = [
        [f"`{section.path}{name}`", shown_default(section.path + name, field), _meaning(section.path + name, field)]
        for name, field in section.own_fields()
    ]
    if not rows:
        return ""
    words = " ".join((section.model.__doc__ or "").split()).replace(". ", ".\n")
    optional = "Left out by default; given, it needs its own settings.\n" if section.is_optional else ""
    return f"\n## {title}\n\n{words}\n{optional}\n{table(['setting', 'default', 'what it is'], rows)}"


def _meaning(key: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"{key}: has no description")
    return field.description


def _plain(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ", ".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)
