"""The configuration comes from four places in a fixed order, and everything wrong in it is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatcher.addresses import Address
from dispatcher.config import ConfigErrors, data_directory, load


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dispatcher.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(**arguments) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(**{"environ": {}, **arguments})
    return caught.value.problems


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = write(tmp_path, "[engine]\nlease_s = 61\n[limits]\nthreads = 11\nmax_waiting = 11\n")
    environ = {"DISPATCHER_ENGINE__LEASE_S": "62", "DISPATCHER_LIMITS__THREADS": "12"}
    config = load({"engine": {"lease_s": 63}}, file=file, environ=environ)
    assert config.engine.lease_s == 63
    assert config.limits.threads == 12
    assert config.limits.max_waiting == 11
    assert config.limits.deadline_s == 30.0


def test_environment_names_the_file_and_the_datastore(tmp_path: Path) -> None:
    file = write(tmp_path, '[datastore]\nurl = "sqlite:////tmp/file.db"\n[log]\nlevel = "debug"\n')
    config = load(environ={"DISPATCHER_CONFIG": str(file)})
    assert config.log.level == "debug"
    assert config.datastore_url.database == "/tmp/file.db"
    config = load(environ={"DISPATCHER_CONFIG": str(file), "DISPATCHER_DATASTORE": "sqlite:////tmp/other.db"})
    assert config.datastore_url.database == "/tmp/other.db"


def test_process_environment_is_not_looked_at_when_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_ENGINE__LEASE_S", "99")
    assert load(environ={}).engine.lease_s == 30


def test_all_that_is_wrong_is_said_at_once_with_its_place(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        '[web]\nlisten = "nowhere"\nlistem = 1\ntls_cert = "a.pem"\n[typo]\na = 1\n[limits]\nthreads = "x"\n',
    )
    environ = {
        "DISPATCHER_LIMITS__XML_DEPTH": "3",
        "DISPATCHER_TYPO__A": "1",
        "DISPATCHER_WEB__TYPO": "1",
        "DISPATCHER_DATASTORE": "oracle://scott:tiger@x/y",
    }
    found = problems(command_line={"engine": {"lease_s": 0}}, file=file, environ=environ)
    places = {problem.rsplit(": ", 1)[0] if "HOST" not in problem else problem for problem in found}
    assert {place.split(": must")[0] for place in places} == {
        f"{file}: web.listen",
        f"{file}: web.listem",
        f"{file}: web.tls_key",
        f"{file}: typo",
        f"{file}: limits.threads",
        "DISPATCHER_LIMITS__XML_DEPTH",
        "DISPATCHER_TYPO__A",
        "DISPATCHER_WEB__TYPO",
        "DISPATCHER_DATASTORE__URL",
        "command line: engine.lease_s",
    }
    assert not any("tiger" in problem for problem in found)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (problem,) = problems(file=tmp_path / "none.toml")
    assert problem == f"{tmp_path / 'none.toml'}: No such file or directory"


def test_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    (problem,) = problems(file=write(tmp_path, "[web]\nlisten = \n"))
    assert str(tmp_path) in problem
    assert "line 2" in problem


def test_section_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(file=write(tmp_path, "web = 3\n"))
    assert problem.startswith(f"{tmp_path / 'dispatcher.toml'}: web")


def test_names_without_a_section_are_others_business() -> None:
    environ = {"DISPATCHER_URL": "http://x", "DISPATCHER_PORT": "tcp://10.0.0.1:80", "DISPATCHER_WEB": "1"}
    assert load(environ=environ).model_dump() == load(environ={}).model_dump()


@pytest.mark.parametrize(("cert", "key"), [("a.pem", ""), ("", "a.key")])
def test_certificate_and_key_need_each_other(cert: str, key: str) -> None:
    (problem,) = problems(command_line={"web": {"tls_cert": cert, "tls_key": key}})
    assert problem.endswith("tls_cert and tls_key need each other")


@pytest.mark.parametrize(("cert", "key"), [("c.pem", ""), ("", "k.pem")])
def test_certificate_and_key_of_one_vendor_api_need_each_other(cert: str, key: str) -> None:
    with pytest.raises(ConfigErrors, match="ccs_tls_cert and ccs_tls_key need each other"):
        load({"listeners": {"ccs_tls_cert": cert, "ccs_tls_key": key}}, environ={})


def test_the_certificate_of_a_listener_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigErrors, match="ccs_tls_cert and ccs_tls_key are of no use without ccs"):
        load({"listeners": {"ccs_tls_cert": "/c.pem", "ccs_tls_key": "/k.pem"}}, environ={})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0", Address("0.0.0.0", 12431)),
        ("0.0.0.0:443", Address("0.0.0.0", 443)),
        ("[::1]", Address("::1", 12431)),
        ("[::1]:443", Address("::1", 443)),
        ("jobs.example.com", Address("jobs.example.com", 12431)),
        ("", ""),
    ],
)
def test_a_vendor_api_has_its_usual_port_unless_another_is_named(text: str, address: object) -> None:
    assert load({"listeners": {"ccs": text}}, environ={}).listeners.ccs == address
    assert load(environ={"DISPATCHER_LISTENERS__CCS": text}).listeners.ccs == address


@pytest.mark.parametrize("text", [":443", "::1", "host:", "host:x", "host:65536", ":"])
def test_what_is_no_address_of_a_vendor_api(text: str) -> None:
    with pytest.raises(ConfigErrors, match="must be HOST:PORT"):
        load({"listeners": {"ccs": text}}, environ={})


def test_traps_need_a_community_and_have_ids() -> None:
    listening = {"snmp": {"listen": "127.0.0.1:0"}}
    with pytest.raises(ConfigErrors, match="traps need a community"):
        load(listening, environ={})
    environ = {"DISPATCHER_SNMP__COMMUNITIES": "one,two", "DISPATCHER_SNMP__CHANGE_TRAPS": "1.3.6.1.4.1.1, .1.3.6"}
    snmp = load(listening, environ=environ).snmp
    assert (snmp.communities, len(snmp.change_traps)) == (("one", "two"), 2)
    with pytest.raises(ConfigErrors, match="ciscoConfigManEvent is no id of an object"):
        load(environ={"DISPATCHER_SNMP__CHANGE_TRAPS": "1.3.6.1.4.1.1,ciscoConfigManEvent"})


def test_nothing_can_be_changed_afterwards() -> None:
    config = load(environ={})
    with pytest.raises(ValidationError):
        config.web.allow_no_login = True
    with pytest.raises(ValidationError):
        config.web = config.web


def test_url_with_a_password_is_not_shown() -> None:
    config = load(environ={"DISPATCHER_DATASTORE": "postgresql+psycopg://u:geheim@h/d"})
    assert "geheim" not in repr(config)
    assert config.datastore_url.password == "geheim"


@pytest.mark.parametrize(
    ("text", "host", "port", "is_loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:80", "::1", 80, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("jobs.example.com:443", "jobs.example.com", 443, False),
    ],
)
def test_addresses_are_understood(text: str, host: str, port: int, is_loopback: bool) -> None:
    address = load({"web": {"listen": text}}, environ={}).web.listen
    assert address == Address(host, port)
    assert address.is_loopback is is_loopback
    assert str(address) == text


def test_the_environment_gives_addresses_lists_numbers_and_switches() -> None:
    config = load(
        environ={
            "DISPATCHER_WEB__LISTEN": "[::1]:9999",
            "dispatcher_agents__listen": "127.0.0.1:1",
            "DISPATCHER_WEB__ALLOW_NO_LOGIN": "true",
            "DISPATCHER_LIMITS__DEADLINE_S": "1.5",
            "DISPATCHER_NETWORK__ALLOWED_TARGETS": "",
        }
    )
    assert (config.web.listen, config.agents.listen) == (Address("::1", 9999), Address("127.0.0.1", 1))
    assert (config.web.allow_no_login, config.limits.deadline_s) == (True, 1.5)
    assert config.network.allowed_targets == ()


@pytest.mark.parametrize("listen", ["host:port", "", "8080", '{"host": "x"}', "[", "[1, 2]", "null"])
def test_all_that_is_wrong_in_the_environment_is_said_at_once(listen: str) -> None:
    wrong = {
        "DISPATCHER_WEB__LISTEN": listen,
        "DISPATCHER_WEB__LISTEN__PORT": "8080",
        "DISPATCHER_WEB__": "{",
        "DISPATCHER_AGENTS__LISTEN": "{",
        "DISPATCHER_LIMITS__THREADS": "[]",
        "DISPATCHER_NETWORK__ALLOWED_TARGETS": "[10.0.0.0/8]",
        "DISPATCHER_NONE__LISTEN": "{",
        "DISPATCHER___LISTEN": "{",
    }
    assert sorted(problem.partition(": ")[0] for problem in problems(environ=wrong)) == sorted(wrong)


@given(st.text())
def test_any_text_is_an_address_or_a_problem(text: str) -> None:
    try:
        address = load({"web": {"listen": text}}, environ={}).web.listen
    except ConfigErrors as error:
        found = error.problems
    else:
        found = [] if address.host and 0 <= address.port <= 65535 else ["impossible address"]
    assert all(problem.startswith("command line: web.listen: must be HOST:PORT") for problem in found)


def test_files_stand_beside_a_sqlite_datastore_so_that_two_do_not_share_them() -> None:
    config = load({"datastore": {"url": "sqlite:////srv/a.db"}}, environ={})
    assert config.key_file == Path("/srv/a.key")
    assert config.agent_home == Path("/srv/a.agent")
    assert config.upload_directory == Path("/srv")


def test_files_stand_in_the_data_directory_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    config = load({"datastore": {"url": "postgresql+psycopg://h/d"}}, environ={})
    assert config.key_file.name == "dispatcher.key"
    assert config.key_file.parent == config.upload_directory == data_directory()
    config = load(environ={})
    assert config.datastore_url.database == str(data_directory() / "dispatcher.db")
    assert config.key_file.parent == data_directory()


def test_key_file_and_room_for_uploads_can_be_named() -> None:
    config = load({"datastore": {"key_file": "/etc/key"}}, environ={})
    assert (config.key_file, config.upload_directory) == (Path("/etc/key"), data_directory())
    assert load({"limits": {"upload_directory": "/var/tmp"}}, environ={}).upload_directory == Path("/var/tmp")


@pytest.mark.parametrize(
    ("platform", "environ", "directory"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, Path("/data/dispatcher")),
        ("linux", {}, Path.home() / ".local/share/dispatcher"),
        ("linux", {"XDG_DATA_HOME": ""}, Path.home() / ".local/share/dispatcher"),
        ("darwin", {}, Path.home() / "Library/Application Support/Dispatcher"),
        ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/Dispatcher")),
    ],
)
def test_data_directory_is_the_platforms(platform: str, environ: dict[str, str], directory: Path) -> None:
    assert data_directory(environ, platform) == directory


@pytest.mark.parametrize("text", ["10.0.0.0/8,::1", " 10.0.0.0/8 , ::1,"])
def test_networks_may_be_given_in_the_environment(text: str) -> None:
    config = load(environ={"DISPATCHER_NETWORK__ALLOWED_TARGETS": text})
    assert config.network.allowed_targets == ("10.0.0.0/8", "::1")


def test_no_network_may_be_allowed_and_none_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "dispatcher.toml"
    file.write_text("[network]\nallowed_targets = []\n")
    assert load(file=file, environ={}).network.allowed_targets == ()
    file.write_text('[network]\nallowed_targets = ["10.0.0.0/8", "10.0.0.1/8"]\n')
    (problem,) = problems(file=file)
    assert problem.startswith(f"{file}: network.allowed_targets: allowed_targets: '10.0.0.1/8' is no network")
