"""Logs: events with the same keys everywhere, as JSON lines or for people, with secrets masked and nothing forged.

An event is one line whatever its values hold: control characters are escaped. Only a traceback takes more lines, and
each of these is indented, so that no text from outside can begin a line.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

#: What stands in place of a value whose key says that it is secret.
MASK = "********"

_SECRET_KEY = re.compile("password|passwd|token|secret|authorization|cookie|credential", re.IGNORECASE)
#: Control characters, line and paragraph separators, what turns the direction of text, and lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_INDENT = "    | "


#: Libraries that tell at length what is only of interest to themselves.
_CHATTY = ("alembic", "spyne", "uvicorn", "urllib3")


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002 - as the setting is called
    stream: TextIO | None = None,
) -> None:
    """Send all log events of this process to *stream* (stderr), those of the standard library's loggers too.

    *format* ``auto`` is ``console`` at a terminal, else ``json``. Calling it again replaces what was configured.
    """
    stream = stream or sys.stderr
    is_json = format == "json" or (format == "auto" and not stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([structlog.processors.JSONRenderer()] if is_json else _for_people(stream.isatty())),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask the values whose keys name a password, token, secret or the like, at any depth."""
    return {key: _masked(key, value) for key, value in event.items()}


def escape_controls(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every value safe to stand in one line; indent the lines of a traceback."""
    escaped = {visible(key): _escaped(value) for key, value in event.items() if key != "exception"}
    if "exception" in event:
        lines = str(event["exception"]).split("\n")
        escaped["exception"] = "\n".join(_INDENT + visible(line) for line in lines)
    return escaped


def visible(text: str, keep: str = "") -> str:
    """Return *text* with its control characters escaped as Python writes them, but for those in *keep*."""
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


#: What is done to our own events and to those of the standard library's loggers alike.
_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    mask_secrets,
    structlog.processors.format_exc_info,
]


def _for_people(colors: bool) -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [
        escape_controls,
        structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="time", exception_formatter=plain),
    ]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _escaped(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    return visible(value if isinstance(value, str) else repr(value))


def _masked(key: str, value: Any) -> Any:
    if _SECRET_KEY.search(key) and value not in (None, ""):
        return MASK
    if isinstance(value, Mapping):
        return {str(inner): _masked(str(inner), one) for inner, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", one) for one in value]
    return value
