"""Kept parts: what is made of documents that many jobs have in common, made once for all that are stored alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dispatcher.core.jobs import ParameterSet, Shared

#: How many parts are kept; when there are more, all are forgotten.
KEPT = 1_000
#: What is made of longer texts is not kept. Each parameter counts as so much more: what is made of it takes 500 bytes,
#: however short it is.
LONGEST = 4_096
PER_PARAMETER = 100

_Lists = Sequence[list[Any]]


class KeptParts:
    """Remembers parts of jobs by the texts that are stored of them. May be used by many threads."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], _Lists] = {}

    def get(self, texts: tuple[str, ...], make: Callable[[], _Lists]) -> _Lists:
        """Return what *make* returned when it was last called for these *texts*; if that is not kept, it is called.

        Lists that are kept are ``Shared``: nobody may change them. Others are as they were made, so that nothing is
        attached to them that would last as long as the job.
        """
        part = self._kept.get(texts)
        if part is None:
            part = make()
            if sum(map(len, texts)) + weight(_parameter_sets(part)) <= LONGEST:
                part = [Shared(items) for items in part]
                if len(self._kept) >= KEPT:
                    self._kept.clear()
                self._kept[texts] = part
        return part


def weight(sets: Iterable[ParameterSet]) -> int:
    """Return how much more than its text the parameters in *sets* count."""
    return PER_PARAMETER * sum([len(one.declared) for one in sets])


def _parameter_sets(part: _Lists) -> list[ParameterSet]:
    return [item for items in part for item in items if isinstance(item, ParameterSet)]
