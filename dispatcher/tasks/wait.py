"""Wait: for a time to pass, for a port, for a file, or for a process to be gone."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, Field, model_validator

from dispatcher.core.durations import in_words
from dispatcher.core.errors import InvalidValue
from dispatcher.tasks import targets
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

_ENDPOINT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):(\d{1,5})")
#: How long one try to reach a port may take, in seconds.
_CONNECT_TIMEOUT_S = 5.0

Place = Annotated[Text, Field(min_length=1)]


class WaitSettings(TaskSettings):
    """What a wait task waits for: exactly one of the first five."""

    seconds: Annotated[float, Field(ge=0, le=31_536_000)] | None = None
    until: AwareDatetime | None = None
    tcp: Place | None = None  #: HOST:PORT that accepts a connection
    file: Place | None = None  #: a path that exists
    process_gone: Place | None = None  #: a process id, or the name of a program
    every_s: Annotated[float, Field(ge=0.05, le=3600)] = 1.0  #: how often to look
    most_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None  #: after so long the task fails

    @model_validator(mode="after")
    def _exactly_one(self) -> WaitSettings:
        ways = (self.seconds, self.until, self.tcp, self.file, self.process_gone)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("exactly one of seconds, until, tcp, file and process_gone")
        return self


class Wait(WorkType[WaitSettings]):
    """Waits."""

    name = "wait"
    Settings = WaitSettings

    def summary(self, settings: WaitSettings) -> str:
        """Return what is waited for."""
        if settings.seconds is not None:
            return in_words(timedelta(seconds=settings.seconds))
        if settings.until is not None:
            return f"until {settings.until.isoformat()}"
        if settings.tcp is not None:
            return f"for port {settings.tcp}"
        return f"for file {settings.file}" if settings.file is not None else f"until gone: {settings.process_gone}"

    def do(self, settings: WaitSettings, tools: Tools) -> str:
        """Wait.

        :raises TaskFailed: if it takes longer than ``most_s``.
        :raises RefusedByPolicy: if the port is at an address that may not be called.
        """
        if settings.seconds is not None:
            time.sleep(settings.seconds)
            return ""
        most_s = math.inf if settings.most_s is None else settings.most_s
        deadline = time.monotonic() + most_s
        is_over = _condition(settings, tools)
        while not is_over():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TaskFailed(f"not so after {in_words(timedelta(seconds=most_s))}")
            time.sleep(min(settings.every_s, left_s))
        return ""


def _condition(settings: WaitSettings, tools: Tools) -> Callable[[], bool]:
    """Return what says whether the wait is over."""
    if settings.until is not None:
        until = settings.until
        # Looked at again and again: somebody may set the clock meanwhile.
        return lambda: datetime.now(UTC) >= until
    if settings.tcp is not None:
        host, port = endpoint(tools.fill(settings.tcp))
        return lambda: _answers(tools, host, port)
    if settings.file is not None:
        path = tools.path(settings.file)
        return path.exists
    wanted = tools.fill(settings.process_gone or "")
    return lambda: _is_gone(wanted)


def endpoint(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[IPv6]:PORT``.

    :raises InvalidValue: if *text* is none.
    """
    match = _ENDPOINT.fullmatch(text.strip())
    if match is None or not 0 < int(match[3]) < 65536:
        raise InvalidValue("tcp", "must be HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return match[1] or match[2], int(match[3])


def _answers(tools: Tools, host: str, port: int) -> bool:
    try:
        targets.connect(tools.networks, host, port, _CONNECT_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _is_gone(wanted: str) -> bool:
    import psutil

    if wanted.isdecimal():
        try:
            return psutil.Process(int(wanted)).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
    names = {process.info["name"] for process in psutil.process_iter(["name"])}
    return wanted not in names and f"{wanted}.exe" not in names


TYPE = Wait()
