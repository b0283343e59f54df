"""Managers: the package managers that are known, and the command lines by which each does what it is asked.

Only apt-get has been tried. The others are used as their manuals say: dnf(8), yum(8), zypper(8), apk(8), and the
documentation of winget and Chocolatey.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Exit codes of Windows Installer, which others follow: done, but for a restart, which was begun or not.
RESTART_CODES = frozenset({1641, 3010})
#: Another installation is in progress.
_INSTALLER_IS_BUSY = 1618
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager. In its command lines words hold ``{package}``, ``{version}``, ``{file}`` and ``{wait_s}``."""

    name: str
    install: tuple[str, ...]
    install_version: tuple[str, ...]
    remove: tuple[str, ...]
    refresh: tuple[str, ...] = ()  #: empty: it does that by itself
    install_file: tuple[str, ...] = ()  #: empty: it installs no files
    suffix: str = ""  #: of files that it installs
    #: Prints a line for each installed version: ``installed <version>``; empty: nobody can tell.
    ask: tuple[str, ...] = ()
    ask_file: tuple[str, ...] = ()  #: prints the name of the package in a file; empty: nobody can tell
    environment: Mapping[str, str] = field(default_factory=dict)
    good_codes: frozenset[int] = frozenset()  #: those that mean success, beside 0
    restart_codes: frozenset[int] = RESTART_CODES  #: likewise, but a restart is needed
    busy_codes: frozenset[int] = frozenset({_INSTALLER_IS_BUSY})  #: another one is at work: it may be tried again


def fill(words: tuple[str, ...], **values: str) -> list[str]:
    """Return *words* with their places filled in. A value stays within its word, and is not filled in again."""
    return [_PLACE.sub(lambda match: values.get(match[1], match[0]), word) for word in words]


_APT_GET = (
    *("apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout={wait_s}"),
    # A file that somebody has changed stays; nobody is there to be asked.
    *("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"),
    # A name with a dot is no pattern.
    *("-o", "APT::Cmd::Pattern-Only=true"),
)
#: For all that use RPM; it says on standard output what is not installed, too.
_ASK_RPM = ("rpm", "-q", "--qf", "installed %{VERSION}-%{RELEASE}\\n", "--", "{package}")
_ASK_RPM_FILE = ("rpm", "-q", "--qf", "%{NAME}\\n", "-p", "--", "{file}")


def _dnf(name: str) -> Manager:
    call = (name, "-y", "--setopt=exit_on_lock=1")
    return Manager(
        name,
        (*call, "install", "--", "{package}"),
        (*call, "install", "--", "{package}-{version}"),
        (*call, "remove", "--", "{package}"),
        refresh=(*call, "makecache"),
        install_file=(*call, "install", "--", "{file}"),
        suffix=".rpm",
        ask=_ASK_RPM,
        ask_file=_ASK_RPM_FILE,
        busy_codes=frozenset({200}),
    )


_ZYPPER = ("zypper", "--non-interactive")
_WINGET = ("--exact", "--silent", "--accept-source-agreements", "--disable-interactivity")
_CHOCO = ("-y", "--no-progress", "--limit-output")

MANAGERS = {
    one.name: one
    for one in (
        Manager(
            "apt-get",
            (*_APT_GET, "install", "--", "{package}"),
            (*_APT_GET, "--allow-downgrades", "install", "--", "{package}={version}"),
            (*_APT_GET, "remove", "--", "{package}"),
            refresh=(*_APT_GET, "update"),
            install_file=(*_APT_GET, "--allow-downgrades", "install", "--", "{file}"),
            suffix=".deb",
            ask=("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}\\n", "--", "{package}"),
            ask_file=("dpkg-deb", "--field", "{file}", "Package"),
            environment={"DEBIAN_FRONTEND": "noninteractive"},
        ),
        _dnf("dnf"),
        _dnf("yum"),
        Manager(
            "zypper",
            (*_ZYPPER, "install", "--auto-agree-with-licenses", "--", "{package}"),
            (*_ZYPPER, "install", "--auto-agree-with-licenses", "--oldpackage", "--", "{package}={version}"),
            (*_ZYPPER, "remove", "--", "{package}"),
            refresh=(*_ZYPPER, "refresh"),
            install_file=(*_ZYPPER, "install", "--auto-agree-with-licenses", "--allow-unsigned-rpm", "--", "{file}"),
            suffix=".rpm",
            ask=_ASK_RPM,
            ask_file=_ASK_RPM_FILE,
            environment={"ZYPP_LOCK_TIMEOUT": "{wait_s}"},
            good_codes=frozenset({103}),  # zypper itself was updated
            restart_codes=frozenset({102}),
            busy_codes=frozenset({7}),
        ),
        Manager(
            "apk",
            ("apk", "--wait", "{wait_s}", "add", "--upgrade", "--", "{package}"),
            ("apk", "--wait", "{wait_s}", "add", "--", "{package}={version}"),
            ("apk", "--wait", "{wait_s}", "del", "--", "{package}"),
            refresh=("apk", "--wait", "{wait_s}", "update"),
            install_file=("apk", "--wait", "{wait_s}", "add", "--allow-untrusted", "--", "{file}"),
            suffix=".apk",
        ),
        Manager(
            "winget",
            ("winget", "install", "--id", "{package}", *_WINGET, "--accept-package-agreements"),
            (
                "winget",
                "install",
                "--id",
                "{package}",
                "--version",
                "{version}",
                *_WINGET,
                "--accept-package-agreements",
            ),
            ("winget", "uninstall", "--id", "{package}", *_WINGET),
            good_codes=frozenset({0x8A15002B, 0x8A150061}),  # there is no newer version, it is installed
            restart_codes=RESTART_CODES | {0x8A150109, 0x8A15010B},
            busy_codes=frozenset({_INSTALLER_IS_BUSY, 0x8A150102}),
        ),
        Manager(
            "choco",
            ("choco", "upgrade", "{package}", *_CHOCO),
            ("choco", "upgrade", "{package}", "--version={version}", "--allow-downgrade", *_CHOCO),
            ("choco", "uninstall", "{package}", *_CHOCO),
        ),
    )
}
#: What installs files of its own kind on Windows.
INSTALLERS = {
    ".msi": ("msiexec", "/i", "{file}", "/qn", "/norestart"),
    ".exe": ("{file}",),
}


def manager_of(suffix: str, name: str = "auto") -> Manager | None:
    """Return the manager called *name*, of ``auto`` the first, that is there and installs files with *suffix*."""
    names = MANAGERS if name == "auto" else (name,)
    return next((MANAGERS[one] for one in names if MANAGERS[one].suffix == suffix and shutil.which(one)), None)


def find_manager(name: str = "auto", platform: str = sys.platform) -> Manager | None:
    """Return the manager called *name*, if it is there; of ``auto`` the first that is there and fits *platform*."""
    if name != "auto":
        return MANAGERS[name] if shutil.which(name) else None
    is_windows = platform == "win32"
    fitting = (one for one in MANAGERS.values() if (one.name in ("winget", "choco")) == is_windows)
    return next((one for one in fitting if shutil.which(one.name)), None)
