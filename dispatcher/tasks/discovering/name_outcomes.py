"""Name outcomes: what becomes of a name, by what became of its addresses."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.tasks.discovering.lines import Outcome, Status
from dispatcher.tasks.discovering.names import MOST_ADDRESSES
from dispatcher.tasks.discovering.targets import Span


def best_of(outcomes: Mapping[Span, Outcome]) -> dict[Span, Outcome]:
    """Return the best of the *outcomes* of a name's addresses: all that are as good as the best one."""
    best = min((outcome.status for outcome in outcomes.values()), key=list(Status).index)
    return {alone: outcome for alone, outcome in outcomes.items() if outcome.status is best}


def own(best: Mapping[Span, Outcome]) -> list[Span]:
    """Return which of the *best* addresses stand for a computer each.

    Many a computer has addresses of both versions: those of the first one's version stand for all.
    """
    version = next(iter(best)).version
    return [alone for alone in best if alone.version == version]


def told(best: Mapping[Span, Outcome], count: int) -> Outcome:
    """Return what is told of a name with *count* addresses, of which these are the *best*."""
    first = next(iter(best.values()))
    few = f"of its {count} addresses {MOST_ADDRESSES} were asked" if count > MOST_ADDRESSES else ""
    return Outcome(first.status, "; ".join(filter(None, [", ".join(map(str, best)), few, first.detail])))
