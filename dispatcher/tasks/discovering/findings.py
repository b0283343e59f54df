"""Findings: the computers that tasks of a run have found, a line of JSON each in a file that the next task reads.

What is known of a computer comes from others: nothing of it makes a second line or a longer one than it may be.
"""

from __future__ import annotations

import dataclasses
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from dispatcher.core.computers import AgentChange, FoundComputer, Way

#: The file in the scratch directory.
FILE = "found"
#: How long the texts may be, in characters, as the protocol has them.
_LENGTHS = {
    "address": 64,
    "name": 255,
    "dns_name": 255,
    "netbios_name": 64,
    "mac": 32,
    "os": 32,
    "description": 1000,
    "agent_proof": 64,
    "gone_agent_proof": 64,
}


class Findings:
    """The findings in the directory *scratch*."""

    def __init__(self, scratch: Path) -> None:
        self._file = scratch / FILE

    def add(self, computer: FoundComputer) -> None:
        """Add *computer*; it is there for others when this returns.

        :raises OSError: if it cannot be written.
        """
        data = json.dumps(_document(computer)).encode() + b"\n"
        descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as stream:
            # A task that was killed may have left half a line.
            if stream.seek(0, os.SEEK_END):
                stream.seek(-1, os.SEEK_END)
                data = data if stream.read(1) == b"\n" else b"\n" + data
            stream.write(data)

    def __iter__(self) -> Iterator[FoundComputer]:
        """Give the computers that were added, in order; lines that are none are left out."""
        if not self._file.exists():
            return
        with self._file.open("rb") as stream:
            for line in stream:
                computer = _computer(line)
                if computer is not None:
                    yield computer


def clean(text: str, length: int) -> str:
    """Return *text* on one line, without what a terminal would obey, at most *length* characters long."""
    line = "".join(
        " " if character.isspace() else character
        for character in text[: 4 * length]
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    return " ".join(line.split())[:length].rstrip()


def cleaned(computer: FoundComputer) -> FoundComputer:
    """Return *computer* with all texts on one line and as long as they may be."""
    texts = {name: clean(getattr(computer, name), length) for name, length in _LENGTHS.items()}
    return dataclasses.replace(computer, **texts)  # type: ignore[arg-type]


def _document(computer: FoundComputer) -> dict[str, Any]:
    known = {field.name: value for field in dataclasses.fields(computer) if (value := getattr(computer, field.name))}
    return {name: str(value) if isinstance(value, UUID) else value for name, value in known.items()}


def _computer(line: bytes) -> FoundComputer | None:
    try:
        document = json.loads(line)
        members = {
            **document,
            "ports": tuple(int(port) for port in document.get("ports", ())),
            "ways": tuple(Way(way) for way in document.get("ways", ())),
            "change": AgentChange(document["change"]) if document.get("change") else None,
            **{name: UUID(document[name]) for name in ("agent_id", "gone_agent_id") if document.get(name)},
        }
        return cleaned(FoundComputer(**members))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
