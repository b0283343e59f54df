"""Names: what may be the name or the version of a package, so that neither becomes anything else on a command line.

They begin with a letter or digit, so that they are no options, and hold nothing that means something to a shell. What
package managers would take for something else than a name is refused, too: a file, or what apt-get removes
(``name-``) or installs (``name+``) against the order that it is given.
"""

from __future__ import annotations

import re

from dispatcher.core.errors import InvalidValue

#: A plus sign at the end only as in ``g++``.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+:-]{0,250}(?:[A-Za-z0-9]|\+\+))?", re.ASCII)
#: The tilde and the caret are Debian's and RPM's.
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._+:~^-]{0,250}[A-Za-z0-9~])?", re.ASCII)
#: dnf, apk and Chocolatey read what ends so as a file; apk whatever has that anywhere.
_FILES = re.compile(r"\.(?:deb|rpm|nupkg|config)$|\.apk", re.IGNORECASE)


def check_name(name: str) -> str:
    """Return *name*, which must be the name of a package.

    :raises InvalidValue: if it is none.
    """
    # Chocolatey takes "all" for everything that is installed.
    if not _NAME.fullmatch(name) or _FILES.search(name) or name.lower() == "all":
        raise InvalidValue("package", f"{name!r:.100} is no name of a package")
    return name


def check_version(version: str) -> str:
    """Return *version*, which must be the version of a package.

    :raises InvalidValue: if it is none.
    """
    if not _VERSION.fullmatch(version):
        raise InvalidValue("version", f"{version!r:.100} is no version")
    return version
