"""Ansible playbooks: really run, with values that stay values."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.inputs import Input
from dispatcher.tasks.ansible_playbook import TYPE
from dispatcher.tasks.work import TaskFailed

needs_ansible = pytest.mark.skipif(
    importlib.util.find_spec("ansible_runner") is None, reason="the extra [ansible] is not installed"
)
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.copy: {content: "{{ text }}", dest: "{{ folder }}/written"}
    - name: Say
      ansible.builtin.debug: {msg: "done"}
"""
HOSTILE = "{{ lookup('pipe', 'echo injected') }} {% raw %} é\u2028😀\n\"'$[x]"


@pytest.fixture(autouse=True)
def path(monkeypatch: Any, tmp_path: Path) -> None:
    # As in a worker process, whose environment nobody else uses.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_playbook_is_run_and_values_are_no_templates(workshop: Any, capfd: Any) -> None:
    settings = {"playbook": PLAYBOOK, "variables": {"text": "$[T]", "folder": "$[F]"}}
    said = workshop.do(TYPE, settings, PARAM_T=HOSTILE, PARAM_F=str(workshop.work))
    assert said == "ok=2 changed=1"
    assert (workshop.work / "written").read_text() == HOSTILE
    output = capfd.readouterr().out
    assert "TASK [Say]" in output
    assert "PLAY RECAP" in output


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_inputs_are_variables_and_files_are_paths(workshop: Any) -> None:
    digest = hashlib.sha256(b"content").hexdigest()
    workshop.contents[digest] = b"content"
    workshop.inputs = [
        Input("text", HOSTILE),
        Input("count", 3),
        Input("many", [HOSTILE, {"a": None}]),
        Input("key", "s3cret", is_secret=True),
        Input("motd", "message of the day.txt", sha256=digest),
        Input("odd", "../../odd", sha256=digest),
        Input("no-variable", "x"),
    ]
    template = "{{ [text, count + 1, many, key, motd, lookup('file', motd), lookup('file', odd)] | to_json }}"
    task = {"ansible.builtin.copy": {"content": template, "dest": f"{workshop.work}/written"}}
    playbook = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    workshop.do(TYPE, {"playbook": playbook, "variables": {"text": "less", "count": "0"}})
    text, count, many, key, motd, *contents = json.loads((workshop.work / "written").read_text())
    assert (text, count, many, key, contents) == (HOSTILE, 4, [HOSTILE, {"a": None}], "s3cret", ["content"] * 2)
    home = workshop.work.parent / "ansible"
    assert motd == str(home / "files" / "motd" / "message of the day.txt")
    assert (home / "files" / "odd" / "file").exists()
    assert (home / "variables.json").stat().st_mode & 0o777 == 0o600


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_texts_stay_the_texts_that_they_are(workshop: Any) -> None:
    texts = ["007", "1.10", "no", "null", "~", "12:30:45", "0x1F", "12_345", "=", "<<", "2024-02-30", "", " a ", "[1]"]
    names = [f"text_{number}" for number in range(len(texts))]
    workshop.inputs = [Input("many", texts), *(Input(*one) for one in zip(names[1:], texts[1:], strict=True))]
    template = f"{{{{ [many, [{', '.join(names)}]] | to_json }}}}"
    task = {"ansible.builtin.copy": {"content": template, "dest": f"{workshop.work}/written"}}
    playbook = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    workshop.do(TYPE, {"playbook": playbook, "variables": {names[0]: texts[0]}})
    assert json.loads((workshop.work / "written").read_text()) == [texts, texts]


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_message_quotes_the_values_beside_one_that_looks_odd(workshop: Any, capfd: Any) -> None:
    odd = ["=", "2024-02-30", "<<", "{{ x", "%TAG", "!x"]
    workshop.inputs = [Input(f"odd_{at}", one) for at, one in enumerate(odd)]
    workshop.inputs += [Input(f"odd_{at}_beside", "n3ighbour") for at in range(len(odd))]
    task = {"ansible.builtin.debug": {"msg": "said"}, "when": "odd_1"}
    playbook = json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}])
    with contextlib.suppress(TaskFailed):  # 2.19 and later take no text for a condition
        workshop.do(TYPE, {"playbook": playbook})
    output = capfd.readouterr().out
    assert "PLAY RECAP" in output
    assert "n3ighbour" not in output


@needs_ansible
@pytest.mark.parametrize("name", ["__ansible_unsafe", "__ansible_vault"])
def test_names_that_ansible_takes_for_its_own_are_refused(workshop: Any, name: str) -> None:
    workshop.inputs = [Input("many", [{name: "x"}])]
    with pytest.raises(TaskFailed, match="no variable of a playbook, or member of one, has the name __ansible_"):
        workshop.do(TYPE, {"playbook": PLAYBOOK})


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_failed_playbook_fails_the_task(workshop: Any) -> None:
    playbook = "- hosts: localhost\n  gather_facts: false\n  tasks: [{ansible.builtin.command: 'false'}]\n"
    with pytest.raises(TaskFailed, match="the playbook has failed: failed=1"):
        workshop.do(TYPE, {"playbook": playbook})


@needs_ansible
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_archive_with_roles_is_run(workshop: Any) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("site.yml", "- hosts: localhost\n  gather_facts: false\n  roles: [mark]\n")
        task = {"ansible.builtin.file": {"path": str(workshop.work / "marked"), "state": "touch"}}
        archive.writestr("roles/mark/tasks/main.yml", json.dumps([task]))
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    workshop.library["Play"] = SimpleNamespace(sha256=digest, file_name="play.zip")
    workshop.contents[digest] = file.getvalue()
    assert workshop.do(TYPE, {"resource": "Play"}) == "ok=1 changed=1"
    assert (workshop.work / "marked").exists()
    with pytest.raises(TaskFailed, match=r"there is no other\.yml in resource Play"):
        workshop.do(TYPE, {"resource": "Play", "entry": "other.yml"})


def test_without_ansible_the_task_says_what_to_install(workshop: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TaskFailed, match=r"task type unavailable: install dispatcher\[ansible\]"):
        workshop.do(TYPE, {"playbook": PLAYBOOK})


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "exactly one"),
        ({"playbook": "a", "resource": "b"}, "exactly one"),
        ({"playbook": "- {"}, "is no YAML"),
        ({"playbook": "[" * 100_000}, "nested deeper"),
        ({"resource": "a", "entry": "../x"}, "should match"),
        ({"resource": "a", "entry": "a/../../x"}, "inside the archive"),
        ({"resource": "a", "variables": {"a-b": "c"}}, "should match"),
        ({"resource": "a", "tags": ["a b"]}, "should match"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TYPE.Settings.model_validate(settings)


def test_references_are_those_of_the_variables() -> None:
    settings = TYPE.Settings.model_validate({"playbook": "[]", "variables": {"a": "$[x] ^[y]"}})
    assert [str(one) for one in TYPE.references(settings)] == ["$[x]", "^[y]"]
    assert (TYPE.summary(settings), TYPE.resources(settings)) == ("playbook", [])
