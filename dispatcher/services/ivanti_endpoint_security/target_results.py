"""Target results: what a job has found out about each of its targets, read from what its tasks have written.

A line is ``target``, ``status`` and ``detail`` with tabs between them (docs/tasks.rst); one that begins with ``#`` is a
remark on the task itself, such as on an option whose library is missing. Remarks have no details: a computer may have a
name that begins so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dispatcher.tasks.discovering.lines import PROGRESS

#: How many results, and how many remarks, are shown of a job; a /16 in which everybody answers has 65,536.
MOST_RESULTS, MOST_REMARKS = 100_000, 1_000
#: How long a line may be, in bytes. Those of results are shorter.
_MOST_LINE = 64 * 1024

#: Bytes that a task has written, each piece with its offset, in order; some may be missing.
Pieces = Iterable[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What has become of a target: an address, a range of them, a name."""

    target: str
    status: str
    detail: str


@dataclass(frozen=True, slots=True)
class Told:
    """What tasks have told: of targets, and of themselves, without the mark; each in the order it was written in."""

    results: list[TargetResult]
    remarks: list[str]


def read(tasks: Iterable[tuple[Pieces, int]]) -> Told:
    """Return what *tasks* have told, each of which has written so many bytes; remarks tell what is left out.

    How far a task had come is told until it tells something else of itself.
    """
    told, more, passed_over = Told([], []), 0, 0
    for line in (line for pieces, size in tasks for line in whole_lines(pieces, size)):
        target, *said = line.split("\t", 2)
        if line.startswith("#") and len(said) < 2:
            passed_over += _remark(told.remarks, line)
        elif said and len(told.results) < MOST_RESULTS:
            told.results.append(TargetResult(target, said[0], "".join(said[1:])))
        elif said:
            more += 1
    if more:
        told.remarks.append(f"{more} more results are left out here: the output of the job has them")
    if passed_over:
        told.remarks.append(f"{passed_over} more remarks are left out here: the output of the job has them")
    return told


def whole_lines(pieces: Pieces, size: int) -> Iterator[str]:
    """Give the lines in *pieces* of *size* bytes, and a remark for each part that is missing.

    A line that is cut there, or that is not ended yet, is left out: what is left of an address may be another one.
    """
    rest, end, is_cut = b"", 0, False
    for offset, data in itertools.chain(pieces, [(size, b"")]):
        if offset > end:
            yield f"# results are missing: {offset - end} of {size} bytes of the output are not read, or not kept"
            rest, is_cut = b"", True
        end = offset + len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines[1:] if is_cut else lines:
            # Not by all that Unicode takes for the end of a line: names and details are what other computers say.
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        is_cut = is_cut and not lines
        if is_cut or len(rest) > _MOST_LINE:
            rest, is_cut = b"", True


def _remark(remarks: list[str], line: str) -> bool:
    """Add the remark that is *line*, in place of the last one where there are too many; return whether that is so."""
    remark = line.removeprefix("#").strip()
    if not remark:
        return False
    if remarks and f"# {remarks[-1]}".startswith(PROGRESS):
        remarks.pop()
    is_over = len(remarks) >= MOST_REMARKS
    if is_over:
        remarks.pop()
    remarks.append(remark)
    return is_over
