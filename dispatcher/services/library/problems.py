"""Library problems: what is wrong with library files, each with its file, line and path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dispatcher.core.errors import BadRequest

#: How many problems are told; the others are counted.
TOLD = 100


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong. ``line`` counts from 1 and is 0 for the file as a whole."""

    file: str
    line: int
    path: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        line = ": ".join(part for part in (place, self.path, self.text) if part)
        # What a file says ends up on terminals and in logs: it stays one line and moves no cursor.
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


class LibraryErrors(BadRequest):
    """Library files were refused as a whole. ``problems`` holds the first hundred, in the order of the files."""

    code = "library.invalid"

    def __init__(self, problems: Sequence[Problem], untold: int = 0) -> None:
        lines = [str(problem) for problem in problems]
        if untold:
            lines.append(f"and {untold} more")
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)
        self.untold = untold


@dataclass(slots=True)
class Problems:
    """Problems found so far."""

    found: list[Problem] = field(default_factory=list)
    untold: int = 0

    def add(self, file: str, line: int, path: str, text: str) -> None:
        """Note one more."""
        if len(self.found) < TOLD:
            self.found.append(Problem(file, line, path, text))
        else:
            self.untold += 1

    @property
    def count(self) -> int:
        """How many there are, told or not."""
        return len(self.found) + self.untold

    def refuse(self) -> None:
        """Do nothing when there are none.

        :raises LibraryErrors: with all of them, else.
        """
        if self.found:
            raise LibraryErrors(sorted(self.found), self.untold)
