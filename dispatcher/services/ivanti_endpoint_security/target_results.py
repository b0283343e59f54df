"""Target results: what a job has found out about each of its targets, read from what its tasks have written.

A line is ``target``, ``status`` and ``detail`` with tabs between them (docs/tasks.rst); what begins with ``#`` is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What has become of a target: an address, a range of them, a name."""

    target: str
    status: str
    detail: str


def read_results(outputs: Iterable[str]) -> Iterator[TargetResult]:
    """Give the results that *outputs*, of which the beginnings may be missing, tell of; in their order."""
    for output in outputs:
        for line in output.splitlines():
            target, tab, rest = line.partition("\t")
            if tab and not line.startswith("#"):
                status, _, detail = rest.partition("\t")
                yield TargetResult(target, status, detail)
