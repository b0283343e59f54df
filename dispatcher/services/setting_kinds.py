"""Kinds of settings: the name, type, default, unit and meaning of everything that may be changed at run time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import urlsplit

from dispatcher.core import windows
from dispatcher.core.errors import InvalidValue
from dispatcher.core.wallclock import find_zone

Value = str | int
"""What a setting can hold."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a setting. ``read`` makes a value of a text, or raises ``ValueError`` saying what is wrong."""

    default: Value
    read: Callable[[str], Value]
    description: str
    unit: str = ""
    per_dispatcher: bool = False

    def parse(self, name: str, text: str) -> Value:
        """Return the value that *text* stands for.

        :raises InvalidValue: if it is none; the error names the setting.
        """
        try:
            return self.read(text.strip())
        except ValueError as error:
            raise InvalidValue(name, str(error)) from None


def _choice(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.upper() not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text.upper()

    return read


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,12}", text) or not lowest <= int(text) <= highest:
            raise ValueError(f"{text!r} is no whole number from {lowest} to {highest}")
        return int(text)

    return read


def _base_path(text: str) -> str:
    path = "/" + text.strip("/")
    # Printable ASCII segments without what ends a path or needs quoting.
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path) or len(path) > 200:
        raise ValueError(f"{text!r} is no path such as /Dispatcher/SchedulingService")
    parts = path.lower().split("/")
    # Clients take dots away before they ask; the other is where the server says how it does.
    if "." in parts or ".." in parts or parts[1] == "health":
        raise ValueError(f"{text!r} cannot be reached: it begins with /health, or has a part that is . or ..")
    return path


def _file(text: str) -> str:
    is_absolute = PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()
    if text and (not is_absolute or len(text) > 1000 or not text.isprintable()):
        # It is not quoted: it may be the key itself.
        raise ValueError("give a file's whole path, such as /etc/dispatcher/cert.pem, not its content")
    return text


def _time_zone(text: str) -> str:
    return str(find_zone(text))


def _launch_window(text: str) -> str:
    try:
        return str(windows.parse(text)) if text else ""
    except InvalidValue as error:
        raise ValueError(error.message) from None


def _realm(text: str) -> str:
    # It stands between quotes in a header.
    if not re.fullmatch(r"[ !#-\[\]-~]{1,100}", text):
        raise ValueError("must be 1 to 100 printable ASCII characters without quotes and backslashes")
    return text


def _public_address(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    is_plain = re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,255}", parts.netloc) and not (parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not is_plain or parts.path.strip("/"):
        raise ValueError(f"{text!r} is no address such as https://jobs.example.com")
    return text.rstrip("/")


def _ports(text: str) -> str:
    ports = [part.strip() for part in text.split(",")]
    if len(ports) > 1_000 or not all(re.fullmatch("[0-9]{1,5}", one) and 0 < int(one) < 65_536 for one in ports):
        raise ValueError(f"{text[:100]!r} is no list of ports such as 22,443")
    return ",".join(str(number) for number in sorted({int(one) for one in ports}))


def _words(text: str) -> str:
    words = [part.strip() for part in text.split(",")]
    if len(words) > 20 or not all(re.fullmatch(r"[!-~]{1,255}", one) for one in words):
        raise ValueError("must be up to 20 words of printable ASCII characters, with commas between them")
    return ",".join(dict.fromkeys(words))


def _name(text: str) -> str:
    if len(text) > 255 or not (text.isprintable() or not text):
        raise ValueError("must be an id or a name of at most 255 printable characters")
    return text


def _minutes(default: int, description: str) -> Kind:
    return Kind(default, _number(1, 525_600), description, "minutes")


#: Every setting by its name.
REGISTRY: Mapping[str, Kind] = {
    "agents.inherit_permissions": Kind(
        "NO",
        _choice("YES", "NO"),
        "Whether logins have on an agent the permissions that they have on its primary team.",
    ),
    "agents.parallel_runs": Kind(10, _number(1, 1000), "How many runs one agent may be given at a time."),
    "agents.ssh_port": Kind(22, _number(1, 65_535), "Where computers that agents are installed on are asked for SSH."),
    "agents.url": Kind(
        "",
        _public_address,
        "Where agents find a dispatcher that are installed on other computers, such as https://jobs.example.com:3163; "
        "empty: where the agent finds it that installs them.",
    ),
    "discovery.communities": Kind(
        "public", _words, "By which communities computers are asked over SNMP, in turn, with commas between them."
    ),
    "discovery.ports": Kind(
        "22,80,135,139,443,445,3389,5985", _ports, "Which TCP ports discoveries try, with commas between them."
    ),
    "exastro_ita.access_token_minutes": _minutes(
        1440, "How long an access token of the Exastro IT Automation API is good."
    ),
    "exastro_ita.journal_days": Kind(
        0,
        _number(0, 36_500),
        "How long the history of records of the Exastro IT Automation API is kept; 0: as long as the record.",
        "days",
    ),
    "exastro_ita.maintenance_mode": Kind(
        "OFF",
        _choice("ON", "OFF"),
        "Whether the Exastro IT Automation API refuses to change records and to run conductors.",
    ),
    "exastro_ita.max_records": Kind(
        1_000,
        _number(1, 10_000),
        "How many records of a menu one request to the Exastro IT Automation API may change.",
        "records",
    ),
    "exastro_ita.refresh_token_minutes": _minutes(
        525_600, "How long new access tokens of the Exastro IT Automation API are got by one refresh token."
    ),
    "ivanti_endpoint_security.discovery_agent": Kind(
        "",
        _name,
        "Which agent discovers computers, by its id or name, if a job names none; empty: the local agent.",
    ),
    "ivanti_endpoint_security.access_token_minutes": _minutes(
        15, "How long an access token of the Ivanti Endpoint Security API is good."
    ),
    "jobs.approved_by_invoker": Kind(
        "YES", _choice("YES", "NO"), "Whether the login that has ordered a job may also approve it."
    ),
    "jobs.launch_timeout_s": Kind(
        604_800, _number(60, 31_536_000), "How long a job waits for an agent before it is cancelled.", "seconds"
    ),
    "jobs.launch_window": Kind(
        "",
        _launch_window,
        "When runs may start, such as Mon-Fri 20:00-06:00; agents and primary teams may have their own. Empty: always.",
    ),
    "jobs.outside_launch_window": Kind(
        "WAIT",
        _choice("FAIL", "CONTINUE", "WAIT"),
        "What a run does outside the launch window, if its job does not say.",
    ),
    "opsramp.access_token_minutes": _minutes(120, "How long an access token of the OpsRamp API is good."),
    "resources.login_quota_bytes": Kind(
        20 << 30,
        _number(0, 999_999_999_999),
        "How much the contents may have in all that one login has uploaded and that are kept; 0: any number.",
        "bytes",
    ),
    "retention.alerts_days": Kind(0, _number(0, 36_500), "How long alerts are kept; 0: for ever.", "days"),
    "retention.audit_days": Kind(0, _number(0, 36_500), "How long audit entries are kept; 0: for ever.", "days"),
    "retention.configuration_versions": Kind(
        100, _number(0, 100_000), "How many versions of a configuration of an agent are kept; 0: all.", "versions"
    ),
    "retention.jobs_days": Kind(
        0, _number(0, 36_500), "How long jobs that have ended are kept, with their results; 0: for ever.", "days"
    ),
    "retention.ledger_days": Kind(
        0, _number(0, 36_500), "How long the ledger of recurring jobs reaches back; 0: for ever.", "days"
    ),
    "retention.output_days": Kind(
        0, _number(0, 36_500), "How long the output of tasks is kept after their end; 0: as long as the job.", "days"
    ),
    "symantec_ccs.access_token_minutes": _minutes(60, "How long an access token of the Symantec CCS API is good."),
    "symantec_ccs.refresh_token_minutes": _minutes(
        90, "How long a refresh token of the Symantec CCS API is good, by which new tokens are got without a password."
    ),
    "symantec_ccs.job_status_info": Kind(
        "BARE",
        _choice("BARE", "WRAPPED"),
        "Whether the members of a run stand alone in the answer to an execution, or within a JobStatusInfo.",
    ),
    "webapi.public_address": Kind(
        "",
        _public_address,
        "The address that help pages, WSDL and links show; empty: the one that the client used.",
        per_dispatcher=True,
    ),
    "webapi.realm": Kind("Automation", _realm, "The realm that browsers show when they ask for a login."),
    "webapi.resource_base_path": Kind(
        "/Dispatcher/ResourceService", _base_path, "Where the ResourceService answers.", per_dispatcher=True
    ),
    "webapi.resource_port": Kind(
        0, _number(0, 65535), "At which port the ResourceService answers; 0: as configured.", per_dispatcher=True
    ),
    "webapi.scheduling_base_path": Kind(
        "/Dispatcher/SchedulingService", _base_path, "Where the SchedulingService answers.", per_dispatcher=True
    ),
    "webapi.scheduling_port": Kind(
        0, _number(0, 65535), "At which port the SchedulingService answers; 0: as configured.", per_dispatcher=True
    ),
    "webapi.site_time_zone": Kind(
        "UTC", _time_zone, "The zone of moments on the Web API that name none, as an IANA name."
    ),
    "webapi.state": Kind(
        "ENABLED",
        _choice("ENABLED", "DISABLED"),
        "Whether the Web API answers; DISABLED: every path of it is a 404.",
        per_dispatcher=True,
    ),
    "webapi.tls": Kind(
        "CONFIGURED",
        _choice("CONFIGURED", "ENABLED", "DISABLED"),
        "Whether the Web API is https; CONFIGURED: as the configuration file says.",
        per_dispatcher=True,
    ),
    "webapi.tls_certificate": Kind(
        "",
        _file,
        "The PEM file, on the dispatcher's computer, of its certificate and the chain; empty: the configured one.",
        per_dispatcher=True,
    ),
    "webapi.tls_key": Kind(
        "", _file, "The PEM file of the certificate's private key; empty: the configured one.", per_dispatcher=True
    ),
}
