"""Ansible playbook: runs a playbook on the agent's own computer, through ansible-runner.

It needs the extra ``dispatcher[ansible]`` beside the agent. The playbook's text is never changed: values come in as
extra variables, and are plain texts there, whatever braces they hold. So do the inputs of the run, which go before
variables of the same name; of a file that is the path where it lies while the task runs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from dispatcher.core import references
from dispatcher.core.file_names import is_file_name
from dispatcher.core.references import Reference
from dispatcher.tasks.types import TaskSettings, Text, VariableName
from dispatcher.tasks.work import TaskFailed, Tools, WorkType
from dispatcher.tasks.yaml_texts import yaml_problem

#: The largest playbook or archive of one that is unpacked, in bytes.
_MAX_BYTES = 1 << 30
#: How deep the parts of a playbook may lie in each other.
MAX_DEPTH = 100
#: What Ansible takes for the name of a variable; inputs with another name cannot be referred to anyhow.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
#: Names by which Ansible's JSON says what a value is.
_MARKS = frozenset({"__ansible_unsafe", "__ansible_vault"})

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
        problem = yaml_problem(value or "", MAX_DEPTH)
        if problem:
            raise ValueError(f"is no YAML: {problem}")
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
    takes_inputs = True

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
    variables: dict[str, Any] = {name: tools.fill(text) for name, text in settings.variables.items()}
    variables |= _inputs(tools, home / "files")
    file = home / "variables.json"
    file.touch(mode=0o600)
    file.write_text(_unsafe_json(variables), "utf-8")
    if settings.playbook is not None:
        (project / "playbook.yml").write_text(settings.playbook, "utf-8")
        return "playbook.yml"
    return _fetch(tools.fill(settings.resource or ""), settings.entry, tools, project)


def _inputs(tools: Tools, folder: Path) -> dict[str, Any]:
    """Return the inputs of the run as variables; their files are put into *folder*, each below the name of its own."""
    import shutil

    found: dict[str, Any] = {}
    for one in tools.inputs:
        if not _VARIABLE.fullmatch(one.name):
            continue
        found[one.name] = one.value
        if one.sha256:
            file = folder / one.name / (one.value if is_file_name(one.value) else "file")
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tools.contents.open(one.sha256) as stream, file.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            found[one.name] = str(file)
    return found


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


def _unsafe_json(variables: Mapping[str, Any]) -> str:
    """Return *variables* as JSON that Ansible takes for plain values: no text in them is ever a template.

    Nor does a text become anything else: the scalars of YAML with a tag of their own are resolved once more by
    ansible-core 2.19 and later (``_internal/_yaml/_constructor.py``), so that ``007`` were 7. Besides, what has come
    from JSON has no line that a message of Ansible's could quote.

    :raises TaskFailed: if a variable, or a member of one, has a name that means something to Ansible's reader of JSON.
    """

    def tag(value: Any) -> Any:
        if isinstance(value, str):
            return {"__ansible_unsafe": value}
        if isinstance(value, Mapping):
            if not _MARKS.isdisjoint(value):
                marks = " or ".join(sorted(_MARKS))
                raise TaskFailed(f"no variable of a playbook, or member of one, has the name {marks}")
            return {name: tag(one) for name, one in value.items()}
        return [tag(one) for one in value] if isinstance(value, list) else value

    return json.dumps(tag(variables))


def _options(settings: AnsiblePlaybookSettings, home: Path) -> list[str]:
    import shlex

    options = ["--extra-vars", shlex.quote(f"@{home / 'variables.json'}")]
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
