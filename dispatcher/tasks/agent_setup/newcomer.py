"""The newcomer: what a new agent is told, of what its order says and the agent that installs it knows."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import psutil

from dispatcher.core.networks import NO_NETWORK
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.work import TaskFailed, Tools

#: The setting that says where agents on other computers find dispatchers.
URL_SETTING = "agents.url"
#: The files that go along with ``agent.toml``, by what they are.
CA_FILE, PIN = "ca.pem", "pin.pem"


def is_here(address: str) -> bool:
    """Whether *address* is one of this computer."""
    plain = address.partition("%")[0]
    own = {one.address.partition("%")[0] for some in psutil.net_if_addrs().values() for one in some}
    return _is_loopback(plain) or plain in own


def dispatchers(order: SetupOrder, tools: Tools, address: str) -> list[str]:
    """Return where a new agent at *address* finds dispatchers.

    :raises TaskFailed: if only the computer of the agent that does this can reach them.
    """
    known = list(order.dispatchers or tools.dispatchers)
    fit = known if is_here(address) else [url for url in known if not _is_loopback(urlsplit(url).hostname or "")]
    if not fit:
        listed = ", ".join(known) or "none is known"
        raise TaskFailed(
            f"an agent there could not reach a dispatcher ({listed}): give the setting {URL_SETTING} an address"
        )
    return fit


def facts(modules: Sequence[str]) -> dict[str, str]:
    """Return the facts of an agent with *modules*: all of them, and one for each, for rules."""
    return {"modules": ",".join(modules), **{f"module_{one.lower()}": "true" for one in modules}} if modules else {}


def files(order: SetupOrder, tools: Tools, name: str, directory: PurePath, urls: Sequence[str]) -> dict[str, str]:
    """Return the files of a new agent called *name* in *directory*, by their names. The token is in none of them.

    It trusts the certificates, and obeys the policy, that hold for the agent that installs it.

    :raises OSError: if the file of a certificate cannot be read.
    """
    settings: dict[str, str | list[str]] = {
        "dispatcher": list(urls),
        "name": name,
        "home": str(directory / "home"),
        "fact": [f"{key}={value}" for key, value in facts(order.modules).items()],
        "allowed_target": [str(network) for network in tools.networks.networks] or [NO_NETWORK],
        "log_level": "warning",
    }
    found: dict[str, str] = {}
    if tools.ca_file:
        found[CA_FILE] = Path(tools.ca_file).read_text("utf-8")
        settings["ca_file"] = str(directory / CA_FILE)
    if tools.pin:
        found[PIN] = Path(tools.pin).read_text("utf-8")
    return {"agent.toml": toml(settings), **found}


def toml(settings: Mapping[str, str | list[str]]) -> str:
    """Return *settings* as a TOML file."""
    # What JSON has of texts and lists is TOML, too, but for one character that JSON may hold as it is.
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in settings.items())
    return "".join(lines).replace("\x7f", "\\u007f")


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
