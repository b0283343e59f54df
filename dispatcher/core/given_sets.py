"""Given sets: which of the sets of values that a caller sent belongs to which of the things that a job runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from uuid import UUID

from dispatcher.core.jobs import GivenSet
from dispatcher.core.parameters import Given


def matched(sets: Sequence[GivenSet], what_ids: Sequence[UUID]) -> list[Sequence[Given]]:
    """Return the values for each of the things with *what_ids*, in their order.

    Those are of the set with its id; of several with the same, each goes to one thing with it, in order, and the last
    to those that are left. A set whose id is none of them goes to the thing at its place. One set alone goes to the
    only thing (contract of Ivanti Automation, 3.6, which does not tell of things that are run twice).
    """
    if len(sets) == len(what_ids) == 1:
        return [sets[0].values]
    by_id: dict[UUID | None, deque[Sequence[Given]]] = {what_id: deque() for what_id in what_ids}
    by_place: dict[int, Sequence[Given]] = {}
    for place, given in enumerate(sets):
        if given.what_id in by_id:
            by_id[given.what_id].append(given.values)
        else:
            by_place[place] = given.values
    if len(what_ids) == 1 and len(with_values := [values for values in by_place.values() if values]) == 1:
        by_place[0] = with_values[0]
    return [_next(by_id[what_id]) or by_place.get(place, ()) for place, what_id in enumerate(what_ids)]


def _next(values: deque[Sequence[Given]]) -> Sequence[Given]:
    if not values:
        return ()
    return values.popleft() if len(values) > 1 else values[0]
