"""Settings are typed, checked when they are set, and seen by every process at once."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from dispatcher.core.errors import Forbidden, InvalidValue, SettingNotFound
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.setting_kinds import REGISTRY
from dispatcher.services.settings import Settings


@pytest.fixture
def settings(datastore: Datastore, ports: Ports) -> Settings:
    return Settings(datastore, ports)


def test_defaults_hold_until_something_is_set(settings: Settings) -> None:
    assert {one.name: one.value for one in settings.list()} == {name: kind.default for name, kind in REGISTRY.items()}
    assert {one.origin for one in settings.list()} == {"default"}
    assert settings.site_zone() is UTC
    assert settings.current().web_api_enabled()


def test_every_default_is_a_value_that_could_be_set(settings: Settings) -> None:
    for name, kind in REGISTRY.items():
        assert settings.set(name, str(kind.default), SYSTEM).value == kind.default


def test_change_is_seen_by_another_process_at_once(datastore: Datastore, ports: Ports, settings: Settings) -> None:
    other = Settings(datastore, ports)
    assert other.get("agents.parallel_runs") == 10
    settings.set("agents.parallel_runs", " 20 ", SYSTEM)
    assert other.get("agents.parallel_runs") == 20
    assert other.current().number("agents.parallel_runs") == 20


def test_value_can_be_changed_again(settings: Settings) -> None:
    for zone in ("Europe/Berlin", "Asia/Tokyo", "UTC"):
        settings.set("webapi.site_time_zone", zone, SYSTEM)
    assert settings.site_zone() is UTC


def test_site_zone_is_the_one_that_was_set(settings: Settings) -> None:
    settings.set("webapi.site_time_zone", "Asia/Tokyo", SYSTEM)
    assert settings.site_zone() == ZoneInfo("Asia/Tokyo")


def test_dispatchers_own_value_wins_until_it_is_global_again(
    settings: Settings, datastore: Datastore, ports: Ports
) -> None:
    east, west = (Settings(datastore, ports, name) for name in ("east", "west"))
    settings.set("webapi.state", "disabled", SYSTEM)
    assert settings.set("webapi.state", "enabled", SYSTEM, "east").origin == "dispatcher"
    assert [one.current().web_api_enabled() for one in (east, west, settings)] == [True, False, False]
    assert settings.set("webapi.state", "Global", SYSTEM, "east").origin == "environment"
    assert not east.current().web_api_enabled()


def test_what_is_known_costs_no_query_and_is_renewed_by_asking(
    settings: Settings, datastore: Datastore, ports: Ports
) -> None:
    east = Settings(datastore, ports, "east")
    assert east.known().number("webapi.scheduling_port") == 0
    settings.set("webapi.scheduling_port", "8443", SYSTEM, "east")
    assert east.known().number("webapi.scheduling_port") == 0
    assert east.current().number("webapi.scheduling_port") == 8443
    assert east.known().number("webapi.scheduling_port") == 8443


@pytest.mark.parametrize("path", ["/dispatcher/RESOURCESERVICE", "/Dispatcher/ResourceService/jobs", "/Dispatcher"])
@pytest.mark.parametrize("dispatcher", ["", "east"])
def test_one_service_does_not_take_the_requests_of_the_other(settings: Settings, path: str, dispatcher: str) -> None:
    with pytest.raises(InvalidValue, match=r"webapi\.scheduling_base_path: both services would answer below"):
        settings.set("webapi.scheduling_base_path", path, SYSTEM, dispatcher)
    assert settings.get("webapi.scheduling_base_path", dispatcher) == "/Dispatcher/SchedulingService"


def test_a_path_of_the_environment_goes_with_those_of_all_dispatchers(settings: Settings) -> None:
    settings.set("webapi.resource_base_path", "/files", SYSTEM, "east")
    with pytest.raises(InvalidValue, match="below /files at dispatcher east"):
        settings.set("webapi.scheduling_base_path", "/Files", SYSTEM)
    settings.set("webapi.resource_base_path", "GLOBAL", SYSTEM, "east")
    assert settings.set("webapi.scheduling_base_path", "/Files", SYSTEM).value == "/Files"
    with pytest.raises(InvalidValue, match="below /files"):
        settings.set("webapi.resource_base_path", "/files", SYSTEM)


def test_a_dispatchers_name_fits_its_column(settings: Settings) -> None:
    with pytest.raises(InvalidValue, match="255"):
        settings.set("webapi.state", "ENABLED", SYSTEM, "x" * 256)


def test_global_is_no_value_of_the_environment(settings: Settings) -> None:
    with pytest.raises(InvalidValue):
        settings.set("webapi.state", "GLOBAL", SYSTEM)


def test_setting_of_the_environment_is_none_of_a_dispatcher(settings: Settings) -> None:
    with pytest.raises(InvalidValue, match="whole environment"):
        settings.set("jobs.launch_timeout_s", "60", SYSTEM, "east")


def test_change_wakes_the_engine(settings: Settings, wakeup) -> None:
    settings.set("jobs.launch_timeout_s", "60", SYSTEM)
    assert wakeup.engine_calls == 1


def test_unknown_setting_is_not_found(settings: Settings) -> None:
    with pytest.raises(SettingNotFound):
        settings.get("webapi.colour")
    with pytest.raises(SettingNotFound):
        settings.set("webapi.colour", "red", SYSTEM)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agents.parallel_runs", "0"),
        ("agents.parallel_runs", "1e3"),
        ("agents.parallel_runs", "-5"),
        ("agents.parallel_runs", "٣"),
        ("agents.parallel_runs", ""),
        ("jobs.launch_timeout_s", "59"),
        ("webapi.state", "ON"),
        ("webapi.site_time_zone", "Mars/Olympus"),
        ("webapi.site_time_zone", "../../etc/passwd"),
        ("webapi.site_time_zone", ""),
        ("webapi.realm", 'a"b'),
        ("webapi.realm", "a\r\nX: y"),
        ("webapi.realm", ""),
        ("webapi.scheduling_base_path", "/"),
        ("webapi.scheduling_base_path", "/a b"),
        ("webapi.scheduling_base_path", "/a?b"),
        ("webapi.scheduling_base_path", "/a//b"),
        ("webapi.scheduling_base_path", "/a/../b"),
        ("webapi.scheduling_base_path", "/./a"),
        ("webapi.scheduling_base_path", "/Health/live"),
        ("webapi.scheduling_port", "65536"),
        ("webapi.resource_port", "https"),
        ("webapi.tls", "ON"),
        ("webapi.tls_certificate", "cert.pem"),
        ("webapi.tls_certificate", "/etc/cert\n.pem"),
        ("webapi.tls_key", "/" + "k" * 1000),
        ("webapi.public_address", "ftp://x"),
        ("webapi.public_address", "https://x/path"),
        ("webapi.public_address", "https://user@x"),
        ("webapi.public_address", "https://x/?q"),
        ("webapi.public_address", "https://"),
    ],
)
def test_impossible_value_is_refused_by_name_and_changes_nothing(settings: Settings, name: str, value: str) -> None:
    with pytest.raises(InvalidValue, match=name):
        settings.set(name, value, SYSTEM)
    assert settings.get(name) == REGISTRY[name].default


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("webapi.scheduling_base_path", "jobs/Service/", "/jobs/Service"),
        ("webapi.public_address", "https://jobs.example.com:8443/", "https://jobs.example.com:8443"),
        ("webapi.public_address", "http://[::1]:80", "http://[::1]:80"),
        ("webapi.public_address", "", ""),
        ("webapi.tls", "enabled", "ENABLED"),
        ("webapi.tls_key", " /etc/my keys/key.pem ", "/etc/my keys/key.pem"),
        ("webapi.tls_key", r"C:\keys\key.pem", r"C:\keys\key.pem"),
        ("webapi.tls_key", "", ""),
    ],
)
def test_addresses_are_kept_in_one_form(settings: Settings, name: str, value: str, kept: str) -> None:
    assert settings.set(name, value, SYSTEM).value == kept


def test_changing_needs_the_right(settings: Settings) -> None:
    with pytest.raises(Forbidden):
        settings.set("webapi.realm", "x", Caller("reader", everything(Right.READ)))
