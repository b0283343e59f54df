"""The tally: how many targets of a discovery became what."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.tasks.discovering.lines import Status


@dataclass(slots=True)
class Tally:
    """How many targets became what; of ranges all addresses count."""

    found: int = 0
    silent: int = 0
    refused: int = 0
    unresolved: int = 0
    failed: int = 0

    def add(self, status: Status, count: int = 1) -> None:
        """Count *count* more."""
        member = {
            Status.FOUND: "found",
            Status.NO_ANSWER: "silent",
            Status.REFUSED: "refused",
            Status.NOT_RESOLVED: "unresolved",
            Status.FAILED: "failed",
        }[status]
        setattr(self, member, getattr(self, member) + count)

    def __str__(self) -> str:
        """Return it in words."""
        words = [f"{self.found} computers found", f"{self.silent} addresses did not answer"]
        words += [f"{self.refused} refused by policy"]
        words += [f"{self.unresolved} names not resolved"] if self.unresolved else []
        words += [f"{self.failed} failed"] if self.failed else []
        return ", ".join(words)
