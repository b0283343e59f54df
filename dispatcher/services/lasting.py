"""Lasting: what is remembered of parts of the datastore until one of them changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy.orm import Session

from dispatcher.datastore import revisions

_T = TypeVar("_T")


class _Kept(NamedTuple, Generic[_T]):
    marks: Mapping[str, int]  #: all of them, as they were last seen
    revision: Sequence[int]
    value: _T


class Lasting(Generic[_T]):
    """What *make* returns, to be filled bit by bit; another one as soon as a part of *names* has changed.

    May be used by many threads: of two that begin anew at the same time one has done so for itself.
    """

    def __init__(self, make: Callable[[], _T], *names: str) -> None:
        self._make = make
        self._names = names
        self._kept: _Kept[_T] = _Kept({}, (), make())

    def of(self, session: Session) -> _T:
        """Return what is remembered of the parts as *session* sees them."""
        marks, kept = revisions.current(session), self._kept
        if marks is not kept.marks:  # they are read anew whenever something may have changed
            if any(revisions.is_changing(session, name) for name in self._names):
                return self._make()  # what this transaction sees may be rolled back
            revision = [marks[name] for name in self._names]
            kept = self._kept = _Kept(marks, revision, kept.value if revision == kept.revision else self._make())
        return kept.value
