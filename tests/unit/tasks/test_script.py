"""Scripts: the file they run from, and who expands references."""

from __future__ import annotations

import sys

import pytest

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.script import TYPE, ScriptSettings


def script(language: str, text: str, **members) -> ScriptSettings:
    return ScriptSettings.model_validate({"language": language, "text": text, **members})


def test_shell_script_runs_from_a_private_file_that_is_removed(a_context) -> None:
    context = a_context(PARAM_x="v")
    TYPE.run(script("shell", "a\r\necho '' $[x]\r\n", success_codes=[0, 1]), context)
    (process,) = context.processes
    assert process.command_line == ["/bin/sh", str(context.scratch / "script.sh")]
    assert process.success_codes == {0, 1}
    assert context.texts == [b"a\necho '' \"${PARAM_x}\"\n"]
    assert context.modes == [0o600]
    assert list(context.scratch.iterdir()) == []


def test_file_is_removed_also_if_the_process_cannot_be_started(a_context) -> None:
    context = a_context()

    def fail(process: object) -> None:
        raise OSError("no room for another process")

    context.run_process = fail
    with pytest.raises(OSError, match="no room"):
        TYPE.run(script("python", "1"), context)
    assert list(context.scratch.iterdir()) == []


def test_python_text_stays_as_it_is(a_context) -> None:
    context = a_context()
    text = "print('$[x]', 'größe')\r\n"
    TYPE.run(script("python", text), context)
    assert context.processes[0].command_line[:5] == [sys.executable, "-I", "-u", "-X", "utf8"]
    assert context.texts == [text.encode()]
    assert TYPE.references(script("python", text, directory="$[d]"))[0].name == "d"


def test_shell_text_is_checked() -> None:
    assert [one.name for one in TYPE.references(script("shell", 'echo "$[x]"'))] == ["x"]
    with pytest.raises(InvalidValue, match="line 2"):
        TYPE.references(script("shell", "true\necho '$[x]'"))


def test_missing_powershell_is_an_ending_and_no_crash(a_context, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    context = a_context()
    ending = TYPE.run(script("powershell", "1"), context)
    assert (ending.state, ending.message) == ("failed", "powershell is not installed on this computer")
    assert context.processes == []


def test_summary_names_the_language() -> None:
    assert TYPE.summary(script("python", "import os\n")) == "python: import os"
