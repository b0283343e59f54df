"""SSH: commands and texts of other computers, who may log in there, and whose host key is believed."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from needed import missing
from pydantic import ValidationError
from ssh_servers import USER, PasswordServer, Sshd, a_key, needs_sshd

from dispatcher.core.accounts import Account
from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks import host_keys, ssh_client, ssh_command, targets
from dispatcher.tasks.script import TYPE as SCRIPT
from dispatcher.tasks.ssh_command import TYPE as COMMAND
from dispatcher.tasks.ssh_fetch import TYPE as FETCH
from dispatcher.tasks.work import FETCHED, TaskFailed

HOST = "127.0.0.1"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "device", device=True)
    yield server
    server.stop()


def settings(server: Any, **rest: Any) -> dict[str, Any]:
    return {"port": server.port, "timeout_s": 10, **rest}


@needs_sshd
def test_a_command_sees_its_values_and_nothing_can_become_syntax(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    value = "a'b\"; echo $HOME `id` \\ é\nsecond"
    text = 'printf "%s|" "$[V]" x$[V]; cat; exit 3'
    with pytest.raises(TaskFailed, match=r"^exit code 3$"):
        workshop.do(COMMAND, settings(sshd, text=text), PARAM_V=value)
    assert capsysbinary.readouterr().out.decode().startswith(f"{value}|x")
    assert workshop.do(COMMAND, settings(sshd, text="exit 3", success_codes=[3])) == "exit code 3"


@needs_sshd
@pytest.mark.skipif(shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") is None, reason="no python3")
def test_a_python_script_finds_the_values_in_its_environment(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    text = "import os\nprint(os.environ['PARAM_V'] + '!')\n"
    workshop.do(COMMAND, settings(sshd, text=text, language="python"), PARAM_V="it's")
    assert capsysbinary.readouterr().out == b"it's!\n"


NASTY = ["", "two words", "$(id) `id` \"'\\", "-n", "é\nsecond line", "%PATH%"]
SHOW = {
    "shell": '#!/bin/sh\nfor one; do printf "<%s>" "$one"; done; printf "%s" "$OWN $PARAM_p1 $(pwd)"; cat; exit 3\n',
    "python": "from __future__ import annotations\nimport os, sys\n"
    "print(*(f'<{one}>' for one in sys.argv[1:]), os.environ['OWN'] + ' ', sep='', end='')\n"
    "print(os.environ['PARAM_p1'], os.getcwd(), end='')\n"
    "assert __name__ == '__main__' and sys.stdin.read() == ''\nsys.exit(3)",
    "perl": '#!/usr/bin/perl\nuse strict; use Cwd; print map { "<$_>" } @ARGV;\n'
    'print "$ENV{OWN} $ENV{PARAM_p1} " . getcwd(); exit 3;\n__END__\nno code',
    "php": "#!/usr/bin/php\n<?php declare(strict_types=1);\nnamespace Mine;\n"
    'foreach (array_slice($argv, 1) as $one) echo "<$one>";\necho getenv("OWN") . " " . getenv("PARAM_p1") . " ";\n'
    "echo getcwd(); exit(3);",
}


def for_other_computers(server: Sshd, language: str, text: str, **rest: Any) -> dict[str, Any]:
    """Return what a script becomes that logs in; skip the test where there is nothing to run it with."""
    program = {"python": "python3", "shell": "sh"}.get(language, language)
    if shutil.which(program, path="/usr/local/bin:/usr/bin:/bin") is None:
        missing(program)
    given = {"language": language, "text": text, "login": "if_given", **rest}
    asked: list[Any] = []
    context = SimpleNamespace(logs_in=True, run_work=lambda *order: asked.append(order))
    SCRIPT.run(SCRIPT.Settings.model_validate(given), context)
    ((name, order),) = asked
    assert name == COMMAND.name
    return order.model_dump(mode="json", exclude_unset=True) | {"port": server.port, "timeout_s": 10}


@needs_sshd
@pytest.mark.parametrize("language", SHOW)
def test_a_script_that_logs_in_is_told_its_arguments_and_values(
    workshop: Any, sshd: Sshd, capsysbinary: Any, language: str
) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    values = {f"PARAM_p{place}": value for place, value in enumerate(NASTY)}
    order = for_other_computers(
        sshd,
        language,
        SHOW[language],
        arguments=[f"$[p{place}]" for place in range(len(NASTY))],
        environment={"OWN": "its $[p1]"},
        directory=str(sshd.place),
        success_codes=[3],
    )
    assert workshop.do(COMMAND, order, **values) == "exit code 3"
    told = "".join(f"<{one}>" for one in NASTY) + f"its two words two words {sshd.place}"
    assert capsysbinary.readouterr().out.decode() == told


@needs_sshd
def test_a_script_that_has_nobody_to_log_in_as_runs_nowhere(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    with pytest.raises(TaskFailed, match="no credential set is assigned"):
        workshop.do(COMMAND, for_other_computers(sshd, "shell", "echo begun"))
    assert capsysbinary.readouterr().out == b""


@needs_sshd
@pytest.mark.parametrize(
    ("language", "text"),
    [("shell", "exit 4"), ("python", "1/0"), ("perl", "die 'no'"), ("php", "<?php throw new \\Exception('no');")],
)
def test_a_script_that_fails_there_has_failed(workshop: Any, sshd: Sshd, language: str, text: str) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    with pytest.raises(TaskFailed, match=r"^exit code [1-9]"):
        workshop.do(COMMAND, for_other_computers(sshd, language, text))


@needs_sshd
def test_a_script_begins_nowhere_but_in_its_directory(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    with pytest.raises(TaskFailed, match=r"^exit code"):
        workshop.do(COMMAND, for_other_computers(sshd, "shell", "echo begun", directory="/no/such"))
    assert b"begun" not in capsysbinary.readouterr().out


@needs_sshd
def test_nothing_of_a_script_shows_in_a_list_of_processes(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    for language, text in {
        "shell": "ps -eo args  # the text",
        "python": "import subprocess  # the text\nsubprocess.run(['ps', '-eo', 'args'])",
        "perl": "system('ps -eo args');  # the text",
        "php": "<?php passthru('ps -eo args');  # the text",
    }.items():
        order = for_other_computers(sshd, language, text, arguments=["$[P]"], environment={"OWN": "$[P]"})
        workshop.do(COMMAND, order, PARAM_P="hush-hush")
        seen = capsysbinary.readouterr().out
        assert b"sshd" in seen
        assert b"hush-hush" not in seen
        assert b"the text" not in seen


BUSY = {
    "waits": "echo $$; sleep 600 & echo $!; wait",
    "is another program": "echo $$; echo; exec sleep 600",
    "will not end": 'trap "" TERM; echo $$; sleep 600 & echo $!; wait',
}


@needs_sshd
@pytest.mark.parametrize("text", BUSY.values(), ids=BUSY)
@pytest.mark.parametrize("is_killed", [True, False])
def test_what_is_cut_off_ends_there_though_it_writes_nothing(
    workshop: Any, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, text: str, *, is_killed: bool
) -> None:
    """A task that is aborted or out of time is killed as a process: its connection ends."""
    workshop.account = Account(USER, private_key=sshd.private_key)
    monkeypatch.setattr(ssh_command, "GRACE_S", 1)
    streams, said = [], bytearray()

    def connect(*order: Any) -> socket.socket:
        streams.append(real(*order))
        return streams[0]

    def write(part: bytes) -> None:
        said.extend(part)
        if is_killed and said.count(b"\n") == 2:
            streams[0].shutdown(socket.SHUT_RDWR)

    real = targets.connect
    monkeypatch.setattr(targets, "connect", connect)
    output = SimpleNamespace(write=write, flush=lambda: None)
    monkeypatch.setattr(ssh_command, "sys", SimpleNamespace(stdout=SimpleNamespace(buffer=output)))
    with pytest.raises(TaskFailed):
        workshop.do(COMMAND, settings(sshd, text=text, silence_s=0 if is_killed else 3.0))
    left = []
    for number in said.split():
        with suppress(psutil.NoSuchProcess):
            left.append(psutil.Process(int(number)))
    assert psutil.wait_procs(left, timeout=30)[1] == []


@needs_sshd
def test_what_a_script_leaves_behind_lives_on(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    workshop.do(COMMAND, settings(sshd, text="sleep 600 >/dev/null 2>&1 & echo $!"))
    left = psutil.Process(int(capsysbinary.readouterr().out))
    group = [one for one in psutil.process_iter() if group_of(one) == group_of(left) and one != left]
    psutil.wait_procs(group, timeout=30)  # what watches over the script has done what it does
    assert left.is_running()
    left.kill()
    assert workshop.do(COMMAND, settings(sshd, text="wait; exit 3", success_codes=[3])) == "exit code 3"


def group_of(process: psutil.Process) -> int | None:
    with suppress(ProcessLookupError):
        return os.getpgid(process.pid)
    return None


@needs_sshd
def test_a_script_that_came_in_part_is_not_run(
    workshop: Any, sshd: Sshd, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    execute = ssh_client.execute

    def half(transport: Any, command: str, send: bytes, silence_s: float, **_: Any) -> Iterator[bytes | int]:
        return execute(transport, command, send[:-1], silence_s)

    monkeypatch.setattr(ssh_client, "execute", half)
    with pytest.raises(TaskFailed, match="exit code 1"):
        workshop.do(COMMAND, settings(sshd, text="echo begun"))
    assert capsysbinary.readouterr().out == b""


@needs_sshd
def test_what_a_device_answers_is_the_output(workshop: Any, device: Sshd, capsysbinary: Any, tmp_path: Path) -> None:
    workshop.account = Account(USER, private_key=device.private_key)
    text = b"hostname r1\n\xff\n" * 20_000
    (device.place / "running-config").write_bytes(text)
    said = workshop.do(FETCH, settings(device, command="show $[What]"), PARAM_What="running-config")
    assert said == f"{len(text)} bytes, SHA-256 {hashlib.sha256(text).hexdigest()}"
    assert capsysbinary.readouterr().out == text
    assert not (tmp_path / FETCHED).exists()

    with pytest.raises(TaskFailed, match="exit code 1"):
        workshop.do(FETCH, settings(device, command="show startup-config", refuse=""))
    with pytest.raises(TaskFailed, match="it answered '% Invalid input detected'"):
        workshop.do(FETCH, settings(device, command="sh run"))
    with pytest.raises(TaskFailed, match="longer than 10 bytes"):
        workshop.do(FETCH, settings(device, command="show running-config", max_bytes=10))
    with pytest.raises(InvalidValue, match="may stand in a command"):
        workshop.do(FETCH, settings(device, command="show $[What]"), PARAM_What="x; reload")


@needs_sshd
def test_what_is_to_be_kept_is_handed_in_to_the_byte_and_no_output(
    workshop: Any, device: Sshd, capsysbinary: Any, tmp_path: Path
) -> None:
    workshop.account = Account(USER, private_key=device.private_key)
    text = b"! Time: 1\r\nhostname cisco-sw1\r\n\xff"
    (device.place / "running-config").write_bytes(text)
    keep = {"name": "running", "output": "Running", "ignore": ["^! Time:"]}
    workshop.do(FETCH, settings(device, command="show running-config", keep=keep))
    counting = hashlib.sha256(b"hostname cisco-sw1\n\xff")
    assert capsysbinary.readouterr().out == b""
    assert workshop.outputs == {"Running": counting.hexdigest()}
    assert (tmp_path / FETCHED).read_bytes() == hashlib.sha256(text).digest() + counting.digest() + text


@needs_sshd
def test_a_file_is_got_by_sftp(workshop: Any, sshd: Sshd, capsysbinary: Any) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    (sshd.place / "startup").write_text("one\r\ntwo\r\n")
    workshop.do(FETCH, settings(sshd, file=str(sshd.place / "startup")))
    assert capsysbinary.readouterr().out == b"one\ntwo\n"
    with pytest.raises(TaskFailed, match="missing: No such file"):
        workshop.do(FETCH, settings(sshd, file=str(sshd.place / "missing")))


@needs_sshd
def test_the_first_host_key_is_believed_and_no_other_one(workshop: Any, sshd: Sshd, tmp_path: Path) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    workshop.do(COMMAND, settings(sshd, text="true"))
    known = tmp_path / host_keys.FILE
    assert known.read_text().split()[:2] == [f"[{HOST}]:{sshd.port}", "ssh-ed25519"]
    assert known.stat().st_mode & 0o777 == 0o600
    assert known.read_text().split()[2] == sshd.host_key.split()[1]
    workshop.do(COMMAND, settings(sshd, text="true"))
    assert len(known.read_text().splitlines()) == 1

    sshd.change_host_key()
    with pytest.raises(TaskFailed, match=r"the host key of \[127.0.0.1\]:\d+ is SHA256:.*, not SHA256:.* as before"):
        workshop.do(COMMAND, settings(sshd, text="true"))
    known.unlink()
    workshop.do(COMMAND, settings(sshd, text="true"))


@needs_sshd
def test_a_pinned_host_key_is_the_only_one(workshop: Any, sshd: Sshd, tmp_path: Path) -> None:
    workshop.account = Account(USER, private_key=sshd.private_key)
    with pytest.raises(TaskFailed, match="not SHA256:nonsense"):
        workshop.do(COMMAND, settings(sshd, text="true", host_key="SHA256:nonsense"))
    workshop.do(COMMAND, settings(sshd, text="true"))
    (key,) = host_keys.known(tmp_path / host_keys.FILE, f"[{HOST}]:{sshd.port}").values()
    workshop.do(COMMAND, settings(sshd, text="true", host_key=host_keys.fingerprint(key)))


@needs_sshd
def test_keys_with_a_passphrase(workshop: Any, sshd: Sshd) -> None:
    private, public = a_key("open sesame")
    (sshd.place / "authorized_keys").write_text(public + "\n")
    workshop.account = Account(USER, private_key=private, passphrase="open sesame")
    workshop.do(COMMAND, settings(sshd, text="true"))
    for passphrase, problem in (("", "needs its passphrase"), ("wrong", "cannot be read")):
        workshop.account = Account(USER, private_key=private, passphrase=passphrase)
        with pytest.raises(TaskFailed, match=problem):
            workshop.do(COMMAND, settings(sshd, text="true"))


@pytest.mark.parametrize("interactive", [False, True])
def test_passwords(workshop: Any, capsysbinary: Any, interactive: bool) -> None:
    server = PasswordServer("p:ß w", lambda command: f"<{command}>".encode(), interactive=interactive)
    try:
        fetch = settings(server, command="show run", credentials="$[Login]")
        workshop.do(FETCH, fetch, PARAM_Login="mé", PARAM_Login_PASSWORD="p:ß w")
        assert capsysbinary.readouterr().out == b"<show run>"
        assert server.seen[0][0] == "mé"
        with pytest.raises(TaskFailed, match=r"127.0.0.1 refused mé by password"):
            workshop.do(FETCH, fetch, PARAM_Login="mé", PARAM_Login_PASSWORD="wrong")
        with pytest.raises(InvalidValue, match="no credentials parameter"):
            workshop.do(FETCH, fetch, PARAM_Login="mé")
        with pytest.raises(TaskFailed, match="no credential set is assigned"):
            workshop.do(FETCH, settings(server, command="show run"))
    finally:
        server.stop()


def test_no_secret_is_logged_or_said(workshop: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = PasswordServer("the right one", lambda _: b"")
    caplog.set_level(logging.DEBUG)
    try:
        workshop.account = Account("me", "hush-hush", a_key()[0], "psst")
        with pytest.raises(TaskFailed) as caught:
            workshop.do(FETCH, settings(server, command="show run"))
        said = caught.value.message + caplog.text + repr(workshop.account)
        assert not [secret for secret in workshop.account.secrets() if secret in said]
    finally:
        server.stop()


def test_the_password_is_tried_where_keys_are_not_taken(workshop: Any, capsysbinary: Any) -> None:
    server = PasswordServer("pw", lambda _: b"hostname x")
    try:
        workshop.account = Account("me", "pw", a_key()[0])
        workshop.do(FETCH, settings(server, command="show run"))
        assert capsysbinary.readouterr().out == b"hostname x"
        workshop.account = Account("me", "wrong", a_key()[0])
        with pytest.raises(TaskFailed, match=r"^127.0.0.1 refused me by key and password$"):
            workshop.do(FETCH, settings(server, command="show run"))
        workshop.account = Account("me", private_key=a_key()[0])
        with pytest.raises(TaskFailed, match=r"^127.0.0.1 refused me by key: it takes password$"):
            workshop.do(FETCH, settings(server, command="show run"))
        workshop.account = Account("me")
        with pytest.raises(TaskFailed, match=r"^127.0.0.1 refused me: there is neither a password nor a key$"):
            workshop.do(FETCH, settings(server, command="show run"))
    finally:
        server.stop()


def test_a_text_that_was_cut_off_is_no_text(workshop: Any) -> None:
    server = PasswordServer("pw", lambda _: b"hostname x\ninterface 1\n ip addr", cuts_off=True)
    try:
        workshop.account = Account("me", "pw")
        with pytest.raises(TaskFailed, match="the connection has ended before the answer did"):
            workshop.do(FETCH, settings(server, command="show run"))
        with pytest.raises(TaskFailed, match="the connection has ended before the answer did"):
            workshop.do(COMMAND, settings(server, text="true"))
    finally:
        server.stop()


def test_marked_lines_of_known_hosts_are_not_passed_over(workshop: Any, tmp_path: Path) -> None:
    server = PasswordServer("pw", lambda _: b"x")
    try:
        workshop.account = Account("me", "pw")
        (tmp_path / host_keys.FILE).write_text(f"# mine\n@revoked [{HOST}]:{server.port} ssh-ed25519 AAAA\n")
        with pytest.raises(TaskFailed, match=r"known_hosts: line 2 begins with @revoked, which is not known here"):
            workshop.do(FETCH, settings(server, command="show run"))
    finally:
        server.stop()


def test_names_of_computers_are_written_small() -> None:
    assert (host_keys.name_of("SW1", 22), host_keys.name_of("SW1", 2222)) == ("sw1", "[sw1]:2222")


def test_blank_lines_cost_no_more_than_others() -> None:
    pattern = re.compile(FETCH.Settings.model_validate({"command": "x"}).refuse, re.MULTILINE)
    assert pattern.search("\n \t% Invalid input detected")
    # Each match begins and ends on one line: what is tried at one is not tried again at the next.
    assert not pattern.search("\n\n\n%\nInvalid")
    assert all(pattern.match("\n" * 3 + "% Invalid", place) is None for place in range(3))


def test_addresses_that_are_not_allowed_are_not_called(workshop: Any) -> None:
    workshop.account = Account("me", "pw")
    server = PasswordServer("pw", lambda _: b"x")
    try:
        workshop.allowed = ["10.0.0.0/8"]
        with pytest.raises(RefusedByPolicy):
            workshop.do(FETCH, settings(server, command="show run"))
        assert server.seen == []
    finally:
        server.stop()


def test_silence_ends_the_task(workshop: Any) -> None:
    import threading

    ended = threading.Event()

    def silent(_: str) -> bytes:
        ended.wait(20)
        return b""

    server = PasswordServer("pw", silent)
    try:
        workshop.account = Account("me", "pw")
        with pytest.raises(TaskFailed, match=r"nothing came for 0.5 s"):
            workshop.do(FETCH, {**settings(server, command="x"), "timeout_s": 0.5})
        with pytest.raises(TaskFailed, match=r"nothing came for 0.25 s"):
            workshop.do(COMMAND, settings(server, text="x", silence_s=0.25))
        with pytest.raises(TaskFailed, match=r"no connection to 127.0.0.1 port 1"):
            workshop.do(FETCH, settings(server, command="x") | {"port": 1})
        with pytest.raises(TaskFailed, match="is empty: it is not known where"):
            workshop.do(FETCH, settings(server, command="x"), FACT_address="")
    finally:
        ended.set()
        server.stop()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (FETCH, {}),
        (FETCH, {"command": "a", "file": "b"}),
        (FETCH, {"command": "a", "port": 0}),
        (FETCH, {"command": "a", "credentials": "root"}),
        (FETCH, {"command": "a", "refuse": "("}),
        (FETCH, {"command": "a", "keep": {"name": "../x", "output": "X"}}),
        (FETCH, {"command": "a", "host": "10.0.0.1"}),
        (FETCH, {"command": "a", "host": "$[Host]"}),
        (COMMAND, {"text": ""}),
        (COMMAND, {"text": "a", "language": "batch"}),
        (SCRIPT, {"text": "a", "language": "batch", "login": "if_given"}),
        (SCRIPT, {"text": "a\0", "language": "shell", "login": "if_given"}),
        (SCRIPT, {"text": "a", "language": "shell", "login": "always"}),
        (COMMAND, {"text": "a", "success_codes": []}),
    ],
)
def test_impossible_settings(kind: Any, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.Settings.model_validate(given)


def test_what_the_settings_refer_to() -> None:
    command = COMMAND.Settings.model_validate({"text": 'echo "$[A]" ^[B]', "credentials": "$[C]"})
    assert [str(one) for one in COMMAND.references(command)] == ["$[A]", "^[B]", "@[address]", "$[C]"]
    script = COMMAND.Settings.model_validate({"text": "print('$[A]')", "language": "python"})
    assert [str(one) for one in COMMAND.references(script)] == ["@[address]"]
    with pytest.raises(InvalidValue):
        COMMAND.references(COMMAND.Settings.model_validate({"text": "echo '$[A]'"}))
    fetch = FETCH.Settings.model_validate(
        {
            "command": "show $[A]",
            "keep": {"name": "x", "output": "Y", "alert": "$[B]"},
            "host": "h",
            "credentials": "$[C]",
        }
    )
    assert [str(one) for one in FETCH.references(fetch)] == ["$[C]", "$[A]", "$[B]"]
