"""Patience: how long the transactions that are begun here may wait for what another one has locked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: How long a transaction waits for each lock unless somebody has less patience, in seconds.
USUAL_S = 10.0

_patience_s: ContextVar[float] = ContextVar("patience_s", default=USUAL_S)


@contextmanager
def patient_for(seconds: float) -> Iterator[None]:
    """Let transactions that this thread begins meanwhile wait no longer than *seconds* for each lock."""
    token = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(token)


def patience_s() -> float:
    """Return how long a transaction that begins here and now may wait for each lock, in seconds."""
    return _patience_s.get()
