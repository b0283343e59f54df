"""Windows console: whose session is on the screen of a Windows computer, as its session service says."""

from __future__ import annotations

import ctypes
from typing import Any

#: What the service is asked for: ``WTSUserName`` and ``WTSDomainName``.
_USER, _DOMAIN = 5, 7
_NO_SESSION = 0xFFFFFFFF


def user() -> str:
    r"""Return the user at the console with the domain, ``CORP\anna``; empty if nobody has logged in there."""
    libraries: Any = ctypes.windll  # type: ignore[attr-defined, unused-ignore]
    session = libraries.kernel32.WTSGetActiveConsoleSessionId() & _NO_SESSION
    if session == _NO_SESSION:
        return ""
    name, domain = (_ask(libraries.wtsapi32, session, what) for what in (_USER, _DOMAIN))
    return f"{domain}\\{name}" if domain and name else name


def _ask(service: Any, session: int, what: int) -> str:
    text, size = ctypes.c_wchar_p(), ctypes.c_uint32()
    server = None  # this computer
    if not service.WTSQuerySessionInformationW(
        server, ctypes.c_uint32(session), what, ctypes.byref(text), ctypes.byref(size)
    ):
        return ""
    try:
        return text.value or ""
    finally:
        service.WTSFreeMemory(text)
