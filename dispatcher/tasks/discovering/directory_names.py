"""Names in directories: domains, canonical names and organizational units as the distinguished names of LDAP."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.tasks.work import TaskFailed

#: What a part of a path may be, in the order in which it is looked for: units, and containers such as Computers.
_KINDS = ("OU", "CN")
#: What stands for itself in a distinguished name, wherever it is; beside what is no ASCII.
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]")
#: Paths and names have no more parts than that.
_MOST_PARTS = 50
_PORT = re.compile(r"(.*):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a path: its name, and as what it is looked for, in this order."""

    name: str
    kinds: Sequence[str] = _KINDS

    def below(self, base: str) -> list[str]:
        """Return the distinguished names that it may have below *base*."""
        return [f"{kind}={escape(self.name)},{base}" for kind in self.kinds]

    def is_like(self, other: Part) -> bool:
        """Return whether both may mean the same."""
        return self.name.casefold() == other.name.casefold() and bool({*self.kinds} & {*other.kinds})


@dataclass(frozen=True, slots=True)
class Controller:
    """Where a directory is asked."""

    host: str
    port: int | None = None  #: as it was given; none: the usual one


def controller(domain: str) -> Controller | None:
    """Return the controller that *domain* names by its address or its port; None if it is the name of a domain.

    :raises TaskFailed: if it has a port that none can have.
    """
    host, port = domain, None
    if match := _PORT.fullmatch(domain):
        host, port = match[1], int(match[2])
    if _is_address(domain.strip("[]")):  # such as ::1, where the last number is no port
        return Controller(domain.strip("[]"))
    if port is None:
        return None
    if not 0 < port < 65_536 or not host:
        raise TaskFailed(f"{domain:.100} is no domain, and no controller with its port")
    return Controller(host.strip("[]"), port)


def escape(value: str) -> str:
    """Return *value* as it stands in a distinguished name (RFC 4514, 2.4): nothing in it can end it."""
    last = len(value) - 1
    return "".join(
        one if _PLAIN.match(one) or ord(one) > 127 or (one == " " and 0 < place < last) else f"\\{ord(one):02X}"
        for place, one in enumerate(value)
    )


def domain_base(domain: str) -> str:
    """Return the distinguished name of the domain *domain*, such as ``DC=ad,DC=example`` (RFC 2247)."""
    return ",".join(f"DC={escape(label)}" for label in domain.strip(".").split("."))


def split_canonical(text: str) -> tuple[str, list[Part]]:
    r"""Return the domain and the path of a canonical name such as ``ad.example/Sites/Berlin``; ``\/`` is no border.

    :raises TaskFailed: if it has too many parts.
    """
    domain, *parts = _split(text)
    return domain.strip(), [Part(part) for part in parts if part]


def unit(text: str, base: str) -> list[Part]:
    """Return the path of a unit: ``Berlin/Servers``, or ``OU=Servers,OU=Berlin``, which may end in *base*.

    :raises TaskFailed: if it is neither.
    """
    if "=" not in text:
        return [Part(part) for part in _split(text) if part]
    from ldap3.core.exceptions import LDAPException
    from ldap3.utils.dn import parse_dn

    try:
        parsed, known = (parse_dn(one, escape=False, strip=True) for one in (text, base))
        parts, wanted = ([(kind.upper(), _unescape(value)) for kind, value, _ in one] for one in (parsed, known))
    except (LDAPException, ValueError, IndexError):
        raise TaskFailed(f"{text!r:.100} is no organizational unit") from None
    # Parts with a plus have two names, which no unit has.
    is_plain = all(separator != "+" for *_, separator in parsed)
    ending = parts[-len(wanted) :]
    if [(kind, value.casefold()) for kind, value in ending] == [(kind, value.casefold()) for kind, value in wanted]:
        parts = parts[: -len(wanted)]
    if not is_plain or len(parts) > _MOST_PARTS or any(kind not in _KINDS or not value for kind, value in parts):
        raise TaskFailed(f"{text!r:.100} is no organizational unit below {base:.100}")
    return [Part(value, (kind,)) for kind, value in reversed(parts)]


def join(path: Sequence[Part], below: Sequence[Part]) -> list[Part]:
    """Return *below* below *path*; where *path* ends with it already, both name the same unit."""
    if below and len(below) <= len(path):
        ending = path[len(path) - len(below) :]
        if all(one.is_like(other) for one, other in zip(ending, below, strict=True)):
            return [*path[: len(path) - len(below)], *below]
    return [*path, *below]


def _split(text: str) -> list[str]:
    """Return the parts of *text* between its slashes; a backslash takes the next character as it is."""
    parts = [""]
    characters = iter(text)
    for one in characters:
        if one == "/":
            parts.append("")
        else:
            parts[-1] += next(characters, "") if one == "\\" else one
    if len(parts) > _MOST_PARTS:
        raise TaskFailed(f"{text!r:.100} has too many parts")
    return [part.strip() for part in parts]


def _unescape(value: str) -> str:
    def plain(match: re.Match[str]) -> str:
        return match[2] or bytes.fromhex(match[1].replace("\\", "")).decode("utf-8", "replace")

    return re.sub(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", plain, value, flags=re.DOTALL)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
