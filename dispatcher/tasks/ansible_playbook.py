"""Ansible playbook: runs a playbook on the agent's own computer, through ansible-runner.

It needs the extra ``dispatcher[ansible]`` beside the agent. The playbook's text is never changed: values come in as
extra variables, and are plain texts there, whatever braces they hold.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from dispatcher.core import references
from dispatcher.core.references import Reference
from dispatcher.tasks.types import TaskSettings, Text, VariableName
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

#: The largest playbook or archive of one that is unpacked, in bytes.
_MAX_BYTES = 1 << 30

Tag = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\w.:-]+$")]


class AnsiblePlaybookSettings(TaskSettings):
    """What an Ansible task does: it has either ``playbook`` or ``resource``."""

    playbook: Annotated[str, Field(min_length=1, max_length=1_000_000)] | None = None  #: the YAML text itself
    resource: Annotated[Text, Field(min_length=1)] | None = None  #: a playbook, or an archive with one and its roles
    entry: Annotated[str, Field(max_length=255, pattern=r"^\w[\w./-]*$")] = "site.yml"  #: the playbook in an archive
    variables: Annotated[dict[VariableName, Text], Field(max_length=1000)] = {}  #: extra variables
    tags: Annotated[list[Tag], Field(max_length=100)] = []
    check: bool = False  #: changes nothing, only says what it would

    @field_validator("playbook")
    @classmethod
    def _is_yaml(cls, value: str | None) -> str | None:
        import yaml

        try:
            for _ in yaml.parse(value or "", Loader=yaml.SafeLoader):
                pass
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"is no YAML: {error}") from None
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> AnsiblePlaybookSettings:
        if (self.playbook is None) == (self.resource is None):
            raise ValueError("exactly one of playbook and resource")
        if ".." in self.entry.split("/"):
            raise ValueError("entry must be inside the archive")
        return self


class AnsiblePlaybook(WorkType[AnsiblePlaybookSettings]):
    """Runs a playbook."""

    name = "ansible_playbook"
    Settings = AnsiblePlaybookSettings

    def references(self, settings: AnsiblePlaybookSettings, platforms: Sequence[str] = ()) -> list[Reference]:  # noqa: ARG002
        """Return what the variables and the name of the resource refer to."""
        texts = [settings.resource or "", *settings.variables.values()]
        return [found for text in texts for found in references.find(text)]

    def resources(self, settings: AnsiblePlaybookSettings) -> list[str]:
        """Return the resource."""
        return [] if settings.resource is None else [settings.resource]

    def summary(self, settings: AnsiblePlaybookSettings) -> str:
        """Return where the playbook comes from."""
        return f"playbook of {settings.resource}" if settings.resource else "playbook"

    def do(self, settings: AnsiblePlaybookSettings, tools: Tools) -> str:
        """Run the playbook; its output is that of the task. Return the recap.

        :raises TaskFailed: if Ansible is not installed, or the playbook failed.
        """
        if importlib.util.find_spec("ansible_runner") is None or importlib.util.find_spec("ansible") is None:
            raise TaskFailed("task type unavailable: install dispatcher[ansible]")
        import ansible_runner

        home = tools.scratch / "ansible"
        playbook = _prepare(settings, tools, home)
        # Beside this interpreter, where the extra has put it, wherever the agent was started from.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        result = ansible_runner.run(
            private_data_dir=str(home),
            playbook=playbook,
            inventory=str(home / "inventory" / "hosts"),
            cmdline=" ".join(_options(settings, home)),
            envvars=_environment(home),
            settings={"suppress_ansible_output": False},
        )
        sys.stdout.flush()
        recap = _recap(result.stats or {})
        if result.status != "successful":
            raise TaskFailed(f"the playbook has {result.status}{recap and ': '}{recap}")
        return recap


def _prepare(settings: AnsiblePlaybookSettings, tools: Tools, home: Path) -> str:
    """Put everything into the directory *home*; return the name of the playbook."""
    project = home / "project"
    for folder in (project, home / "inventory", home / "tmp"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "inventory" / "hosts").write_text("localhost ansible_connection=local\n", "utf-8")
    filled = {name: tools.fill(text) for name, text in settings.variables.items()}
    (home / "variables.yml").write_text(_unsafe_yaml(filled), "utf-8")
    if settings.playbook is not None:
        (project / "playbook.yml").write_text(settings.playbook, "utf-8")
        return "playbook.yml"
    return _fetch(tools.fill(settings.resource or ""), settings.entry, tools, project)


def _fetch(resource: str, entry: str, tools: Tools, project: Path) -> str:
    import shutil
    import tarfile
    import zipfile

    from dispatcher.tasks import archives

    file = project / "playbook.yml"
    with tools.contents.open(tools.contents.find(resource).sha256) as stream, file.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    if not (zipfile.is_zipfile(file) or tarfile.is_tarfile(file)):
        return file.name
    archive = file.rename(project.parent / "archive")
    archives.unpack(archive, project, _MAX_BYTES)
    if not (project / entry).is_file():
        raise TaskFailed(f"there is no {entry} in resource {resource}")
    return entry


def _unsafe_yaml(variables: dict[str, str]) -> str:
    """Return *variables* as YAML that Ansible takes for plain texts: no value is ever a template."""
    import yaml

    class Unsafe(str):
        __slots__ = ()

    class Dumper(yaml.SafeDumper):
        """Writes texts with Ansible's tag."""

    Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))
    tagged = {name: Unsafe(value) for name, value in variables.items()}
    text: str = yaml.dump(tagged, Dumper=Dumper, width=10**9)
    return text


def _options(settings: AnsiblePlaybookSettings, home: Path) -> list[str]:
    import shlex

    options = ["--extra-vars", shlex.quote(f"@{home / 'variables.yml'}")]
    if settings.tags:
        options += ["--tags", ",".join(settings.tags)]
    return [*options, "--check"] if settings.check else options


def _environment(home: Path) -> dict[str, str]:
    return {
        "ANSIBLE_HOME": str(home / "tmp"),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "ANSIBLE_REMOTE_TMP": str(home / "tmp"),
        "ANSIBLE_CONFIG": str(home / "none.cfg"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }


def _recap(stats: dict[str, Any]) -> str:
    """Return how many tasks had which result, such as ``ok=3 changed=1``."""
    names = {"ok": "ok", "changed": "changed", "skipped": "skipped", "failures": "failed", "dark": "unreachable"}
    counts = {shown: sum((stats.get(name) or {}).values()) for name, shown in names.items()}
    return " ".join(f"{name}={count}" for name, count in counts.items() if count)


TYPE = AnsiblePlaybook()
