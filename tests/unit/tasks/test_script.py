"""Scripts: the file they run from, and who expands references."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from needed import missing

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


NASTY = ["", "two words", "$(id) `id` \"'\\", "-n", "é\nsecond line", "%PATH%"]
ECHO = {
    "shell": '#!/bin/sh\nfor one; do printf "<%s>" "$one"; done; exit 3',
    "python": "from __future__ import annotations\nimport sys\n"
    "print(*(f'<{one}>' for one in sys.argv[1:]), sep='', end='')\n"
    "assert __name__ == '__main__'\nsys.exit(3)",
    "perl": 'binmode STDOUT; print map { "<$_>" } @ARGV; exit 3;',
    "php": '<?php foreach (array_slice($argv, 1) as $one) echo "<$one>"; exit(3);',
}


def run_for_real(context: Any, settings: ScriptSettings) -> subprocess.CompletedProcess[str]:
    """Run what the task would, while its file is there."""
    done: list[subprocess.CompletedProcess[str]] = []

    def run_process(process: Any) -> None:
        assert not [one for one in process.command_line if one in NASTY[1:]]
        environment = {**os.environ, **process.environment}
        done.append(
            subprocess.run(
                process.command_line, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
        )

    context.run_process = run_process
    TYPE.run(settings, context)
    return done[0]


@pytest.mark.skipif(sys.platform == "win32", reason="runs what Unix has")
@pytest.mark.parametrize("language", ECHO)
def test_arguments_arrive_as_they_are_and_show_in_no_process_list(a_context: Any, language: str) -> None:
    if language not in ("shell", "python") and shutil.which(language) is None:
        missing(language)
    values = {f"PARAM_p{place}": value for place, value in enumerate(NASTY)}
    arguments = [f"$[p{place}]" for place in range(len(NASTY))]
    done = run_for_real(a_context(**values), script(language, ECHO[language], arguments=arguments))
    assert (done.stdout, done.stderr, done.returncode) == ("".join(f"<{one}>" for one in NASTY), "", 3)


@pytest.mark.skipif(sys.platform == "win32", reason="runs what Unix has")
@pytest.mark.parametrize("language", ECHO)
def test_failure_of_a_script_with_arguments_is_one(a_context: Any, language: str) -> None:
    if language not in ("shell", "python") and shutil.which(language) is None:
        missing(language)
    broken = {"shell": "exit 4", "python": "1/0", "perl": "die 'no'", "php": "<?php throw new Exception('no');"}
    done = run_for_real(a_context(), script(language, broken[language], arguments=["a"]))
    assert done.returncode != 0


def test_shell_text_with_arguments_is_left_as_it_is(a_context: Any) -> None:
    context = a_context(PARAM_x="v")
    text = "echo $[1+2] '$[x]' $1\n"
    settings = script("shell", text, arguments=["$[x]", "^[site]"])
    assert [one.name for one in TYPE.references(settings)] == ["x", "site"]
    context.values["VAR_site"] = "here"
    TYPE.run(settings, context)
    assert context.texts == [text.encode()]
    assert context.processes[0].environment == {"SCRIPT_ARGUMENT_1": "v", "SCRIPT_ARGUMENT_2": "here"}


def test_script_logs_in_only_where_it_may_and_is_told_to(a_context: Any) -> None:
    for login, logs_in in (("never", True), ("if_given", False)):
        context = a_context()
        context.logs_in = logs_in
        TYPE.run(script("shell", "true", login=login), context)
        assert (len(context.processes), context.work_done) == (1, [])
    context = a_context()
    context.logs_in = True
    TYPE.run(script("shell", "true", login="if_given"), context)
    assert context.processes == []
    ((name, order),) = context.work_done
    assert (name, order.host, order.credentials, order.silence_s) == ("ssh_command", "@[address]", None, 0)


@pytest.mark.parametrize("login", ["never", "if_given"])
def test_what_the_server_knows_of_its_logins(login: str) -> None:
    settings = {"language": "shell", "text": "true", "login": login}
    can = login == "if_given"
    assert (TYPE.is_remote(settings), TYPE.takes_account(settings), TYPE.needs_account(settings)) == (can, can, False)
    assert not TYPE.takes_account({"language": "shell", "text": "true"})


@pytest.mark.parametrize(
    ("language", "program", "expected"),
    [
        ("powershell", "pwsh", ["-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"]),
        ("batch", "cmd.exe", ["/d", "/c"]),
        ("vbscript", "cscript.exe", ["//NoLogo"]),
        ("perl", "perl", []),
        ("php", "php", []),
    ],
)
def test_interpreters(
    a_context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, program: str, expected: list[str]
) -> None:
    (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    context = a_context()
    TYPE.run(script(language, "1"), context)
    first, *options, file = context.processes[0].command_line
    assert (first, options, Path(file).parent) == (str(tmp_path / program), expected, context.scratch)


def test_argument_without_a_value_is_told(a_context: Any) -> None:
    with pytest.raises(InvalidValue, match="nothing of this name"):
        TYPE.run(script("python", "1", arguments=["$[x]"]), a_context())
