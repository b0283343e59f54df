"""Owed: what transactions that did not wait for the disk still owe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


class Batch:
    """The transactions that share the next commit."""

    __slots__ = ("done", "error", "is_due", "size")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.size = 0
        self.is_due = False  #: somebody waits for it: the committer has been told


Callback = Callable[[], None]
"""What is to be called when a transaction is on the disk."""


class Owed:
    """What transactions that did not wait still owe: the disk, and what follows."""

    __slots__ = ("_batches", "_callbacks")

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._callbacks: list[Callback] = []

    def add(self, batch: Batch) -> None:
        """Owe the commit of *batch*, too."""
        if batch not in self._batches:
            self._batches.append(batch)

    def then(self, callbacks: Iterable[Callback]) -> None:
        """Call these, too, when all is on the disk."""
        self._callbacks.extend(callbacks)

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def is_lost(self) -> bool:
        """Whether a commit has failed that was owed. Only after ``Deferral.settle``."""
        return any(batch.error is not None for batch in self._batches)

    def pay(self) -> bool:
        """Call what is to follow if everything is on the disk; return whether it is. Only after ``Deferral.settle``."""
        if self.is_lost:
            return False
        for callback in self._callbacks:
            callback()
        return True
