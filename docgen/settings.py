"""docs/reference/settings.md: every setting, its default and its description, from `settings/model.py`."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docgen.markdown import table
from settings import Settings
from settings.errors import section_of
from settings.types import REGIONS

UNSET = {
    "account_id": "not checked",
    "profile": "the environment's credentials",
    "availability_zones": "chosen from AWS's list",
    "zone_name": "<project>-<environment>.internal",
    "maintenance_window": "chosen by AWS",
    "backup_window": "chosen by AWS",
    "route_table_ids": "the VPC's main route table",
    "audit_retention_days": "365 in `prod`, elsewhere `retention_days`",
    "flow_logs": "on in `prod`",
}
"""The text shown as the default, by setting, for settings without a default."""

HEAD = """\
# Settings

Generated from `settings/model.py` by `python -m docgen` (`make docs`); do not edit.

Set one with `pulumi config set --path aurora-global-database:failover.mode observe`, or edit `Pulumi.<stack>.yaml`.
The program lists all mistakes at once, before it creates a resource. Each is one line: the setting, what is wrong, and what to do.
`pulumi preview` checks an existing VPC in AWS and reports errors in the same form.
"""

REGIONS_PART = f"""\

## Regions

{textwrap.fill(", ".join(REGIONS), 120, break_on_hyphens=False)}.

The functions verify the database's certificate with `functions/certificates`, which has the certificate authorities of these regions.
China, GovCloud and isolated regions are other AWS partitions, which the program does not support.
"""

NOT_SETTINGS = """\

## What is not a setting

- Deletion protection, final snapshots, recovery windows of keys and secrets: on in `environment: prod`.
  They are off in every other environment, whose stacks can always be destroyed.
- TLS, encryption, IAM authentication, the event scheduler and the audit log: always on, because the failover or the audit depends on them.
- The master password: generated, and stored in Secrets Manager in both regions.
  It is [rotated](../runbook/rotate-master-password.md) without this program.
- Database rights other than the two levels of `database.iam_users` ([how people get access](../runbook/grant-database-access.md)).
"""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of the page."""

    path: str
    model: type[BaseModel]
    is_optional: bool

    def own_fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """Yield the settings of this section, without those of its subsections."""
        for name, field in self.model.model_fields.items():
            if section_of(field.annotation) is None:
                yield name, field


def sections(model: type[BaseModel] = Settings, path: str = "", *, is_optional: bool = False) -> Iterator[Section]:
    """Yield the sections of a model, each before its subsections."""
    yield Section(path=path, model=model, is_optional=is_optional)
    for name, field in model.model_fields.items():
        if inner := section_of(field.annotation):
            yield from sections(inner, f"{path}{name}.", is_optional=field.default is None)


def shown_default(key: str, field: FieldInfo) -> str:
    """Return a setting's default as shown in the tables."""
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default in (None, (), {}):
        return UNSET.get(key.rsplit(".", 1)[-1], "none")
    return f"`{_plain(default)}`"


def settings_page() -> str:
    """Return the Markdown of docs/reference/settings.md.

    Raises:
        ValueError: a setting has no description.
    """
    return "".join([HEAD, *(_section(each) for each in sections()), REGIONS_PART, NOT_SETTINGS])


def _section(section: Section) -> str:
    title = f"`{section.path.rstrip('.')}`" if section.path else "The stack"
    rows = [
        [f"`{section.path}{name}`", shown_default(section.path + name, field), _description(section.path + name, field)]
        for name, field in section.own_fields()
    ]
    if not rows:
        return ""
    description = " ".join((section.model.__doc__ or "").split()).replace(". ", ".\n")
    optional = "Optional.\n" if section.is_optional else ""
    return f"\n## {title}\n\n{description}\n{optional}\n{table(['setting', 'default', 'description'], rows)}"


def _description(key: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"{key}: has no description. Add one in settings/model.py.")
    return field.description


def _plain(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ", ".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)
