"""A folder for the Pulumi CLI: a local backend, its home, the plugins, and a copy of the stack's settings.

The CLI writes a salt into the settings file that it uses: with a copy no tracked file changes.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rehearsal.pulumi_cli.plugins import REPOSITORY, write_plugins
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY
from settings.stack_file import project_name

PASSPHRASE = "sandbox"
"""Encrypts the state's secrets. Not a secret: they belong to the embedded AWS."""
UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "PULUMI_ACCESS_TOKEN")
"""Variables that would choose other credentials or another backend."""
INIT_SECONDS = 120
WITHOUT_ATTRIBUTES = "?metadata=skip"
"""Otherwise the backend writes a file of attributes beside each state, and a kill in between leaves it empty: "failed to load
checkpoint: EOF". Source: gocloud.dev/blob/fileblob, URLOpener."""


class WorkspaceError(RuntimeError):
    """The CLI could not create the stack; the text is the CLI's."""


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The CLI's folder for one embedded AWS."""

    directory: Path
    cli: Path

    @property
    def backend(self) -> Path:
        """The folder of the local backend."""
        return self.directory / "state"

    def settings_file(self, stack: str) -> Path:
        """Return the copy of a stack's settings."""
        return self.directory / "settings" / f"Pulumi.{stack}.yaml"

    def prepare(self, stack: str, config: Mapping[str, str], endpoint_url: str) -> dict[str, str]:
        """Create the stack if there is none, write its settings, and return the variables for the CLI.

        `config` is flat, as `stack_config` returns it. Raises: WorkspaceError.
        """
        for folder in (self.backend, self.directory / "home", self.directory / "settings"):
            folder.mkdir(parents=True, exist_ok=True)
        project = project_name(REPOSITORY)
        plugins = self.directory.resolve() / "plugins"
        write_plugins(plugins, self.cli)
        variables = self._variables(stack, endpoint_url, plugins)
        if not (self.backend / ".pulumi" / "stacks" / project / f"{stack}.json").is_file():
            self._init(stack, project, variables)
        file = self.settings_file(stack)
        salt = yaml.safe_load(file.read_text(encoding="utf-8"))["encryptionsalt"]
        content = {"encryptionsalt": salt, "config": {key: _value(text) for key, text in config.items()}}
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return variables

    def _variables(self, stack: str, endpoint_url: str, plugins: Path) -> dict[str, str]:
        folders = [str(plugins), str(self.cli.parent)]
        others = [each for each in os.environ.get("PATH", os.defpath).split(os.pathsep) if each not in folders]
        return {
            "PATH": os.pathsep.join([*folders, *others]),
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "PULUMI_BACKEND_URL": self.backend.resolve().as_uri() + WITHOUT_ATTRIBUTES,
            "PULUMI_HOME": str(self.directory.resolve() / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_STACK": stack,
            "PULUMI_OPTION_CONFIG_FILE": str(self.settings_file(stack).resolve()),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def _init(self, stack: str, project: str, variables: Mapping[str, str]) -> None:
        folder = self.settings_file(stack).parent
        self.settings_file(stack).unlink(missing_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n", encoding="utf-8")
        environment = complete_environment(variables, os.environ)
        for chosen in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
            del environment[chosen]
        try:
            ended = subprocess.run(
                [str(self.cli), "stack", "init", stack, "--non-interactive"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=INIT_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise WorkspaceError(f"pulumi stack init {stack}: did not end within {INIT_SECONDS} s") from error
        if ended.returncode:
            raise WorkspaceError(f"pulumi stack init {stack}: {ended.stderr.strip() or ended.stdout.strip()}")


def complete_environment(variables: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return a command's environment: the variables of `prepare`, and all that is inherited except `UNSET`."""
    return {**{name: value for name, value in inherited.items() if name not in UNSET}, **variables}


def _value(text: str) -> Any:
    """Return a setting as the file has it: objects and lists are JSON texts in a flat configuration."""
    return _without_none(json.loads(text)) if text.startswith(("{", "[")) else text


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(element) for key, element in value.items() if element is not None}
    return value
