"""Notice files: the notices of an agent and what users answer, in the directory ``notices`` of the agent's home.

``<task>.json`` is written by the agent and may be read by everybody who gets there. The directory ``<task>.answers``
says who may answer: it belongs to the user at the console, if the agent is root; else, and while nobody is there, to
the account of the agent. Who may write there (root may, too) puts a file there that holds one word.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from dispatcher.tasks.notices.order import NoticeOrder

#: Where notices are, below the agent's home.
FOLDER = "notices"
#: How long what a task has left that was killed is kept: its run may be done again.
KEPT = timedelta(days=7)
_ANSWER = "answer"
#: The longest answer that is read, in bytes.
_LONGEST = 32

About = Literal["deployment", "restart"]


class Answer(StrEnum):
    """What a user may answer."""

    NOW = "now"
    SNOOZE = "snooze"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and whose it is, as far as that is known."""

    answer: Answer
    by: str = ""


class Notice(BaseModel):
    """A notice that a task has given and that is waited for."""

    model_config = ConfigDict(frozen=True)

    id: str  #: that of the task
    about: About
    order: NoticeOrder
    told_at: AwareDatetime
    begins_at: AwareDatetime
    snoozed_until: AwareDatetime | None = None
    process: int  #: the id of the process that waits
    process_began: float  #: when that began, as the system counts

    @property
    def answers(self) -> list[Answer]:
        """Return what may be answered."""
        given = [Answer.NOW]
        given += [Answer.SNOOZE] if self.order.allow_snooze else []
        return given + ([Answer.CANCEL] if self.order.allow_cancel else [])


class Notices:
    """The notices below the *home* of an agent. Everything raises OSError if it cannot be done."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    def open(self, task: str, about: About, order: NoticeOrder, now: datetime) -> Notice:
        """Write down that *task* gives a notice now. One that it has given before keeps its moments."""
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self._clear(now - KEPT)
        before = self._read(self._file(task))
        begins_at = now + timedelta(minutes=order.within_min)
        told_at, snoozed_until = now, None
        if before is not None:
            told_at, begins_at, snoozed_until = before.told_at, before.begins_at, before.snoozed_until
        notice = Notice(
            id=task,
            about=about,
            order=order,
            told_at=told_at,
            begins_at=begins_at,
            snoozed_until=snoozed_until,
            process=os.getpid(),
            process_began=_began(os.getpid()) or 0.0,
        )
        self._discard_answers(task)  # of before: nobody knows any more what they were for
        self._answers(task).mkdir(mode=0o700)
        self.save(notice)
        return notice

    def save(self, notice: Notice) -> None:
        """Write *notice* down, whole or not at all."""
        temporary = self.folder / f".{notice.id}.new"
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(notice.model_dump_json().encode())
        temporary.chmod(0o644)
        temporary.replace(self._file(notice.id))

    def close(self, notice: Notice) -> None:
        """Forget *notice*: its task has ended."""
        self._file(notice.id).unlink(missing_ok=True)
        self._discard_answers(notice.id)

    def let_answer(self, notice: Notice, user_id: int) -> None:
        """Let that user answer *notice*, and nobody else but root and this account, if this is root."""
        if sys.platform != "win32" and os.geteuid() == 0:
            os.chown(self._answers(notice.id), user_id, -1, follow_symlinks=False)

    def waiting(self) -> list[Notice]:
        """Return the notices that are waited for, in the order in which that ends."""
        found = (self._read(file) for file in self._files())
        alive = [one for one in found if one is not None and _began(one.process) == one.process_began]
        return sorted(alive, key=lambda one: (one.begins_at, one.id))

    def answer(self, notice: Notice, answer: Answer) -> None:
        """Leave *answer* for whoever waits for it.

        :raises PermissionError: if this user may not answer.
        """
        folder = self._answers(notice.id)
        temporary = folder / f"{_ANSWER}.{os.getpid()}"
        temporary.write_text(answer)
        temporary.chmod(0o644)  # the agent may be another user than this one
        temporary.replace(folder / _ANSWER)

    def is_taken(self, notice: Notice) -> bool:
        """Whether no answer to *notice* is left to be taken."""
        return not (self._answers(notice.id) / _ANSWER).exists()

    def take(self, notice: Notice) -> Answered | None:
        """Return what was answered, once. What is no answer is nothing: a user has put it there."""
        file = self._answers(notice.id) / _ANSWER
        # Neither a link that leads elsewhere nor a pipe that nobody writes to.
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with os.fdopen(os.open(file, os.O_RDONLY | flags), "rb") as stream:
                found = os.fstat(stream.fileno())
                word = stream.read(_LONGEST) if stat.S_ISREG(found.st_mode) else b""
        except FileNotFoundError:
            return None
        except OSError:
            word = b""
        with suppress(OSError):
            file.unlink()
        with suppress(ValueError):
            return Answered(Answer(word.decode("ascii").strip()), _name_of(found.st_uid))
        return None

    def _file(self, task: str) -> Path:
        return self.folder / f"{task}.json"

    def _answers(self, task: str) -> Path:
        return self.folder / f"{task}.answers"

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("*.json")

    def _discard_answers(self, task: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._answers(task))

    def _read(self, file: Path) -> Notice | None:
        try:
            return Notice.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return None  # it has ended just now
        except (ValidationError, OSError):
            return None  # damaged, or another version's: nobody waits for it

    def _clear(self, before: datetime) -> None:
        """Remove the notices of tasks that were killed, if what they told should have begun *before* that."""
        for file in self._files():
            found = self._read(file)
            if found is None or found.begins_at < before:
                file.unlink(missing_ok=True)
                self._discard_answers(file.stem)


def _began(process: int) -> float | None:
    """Return when *process* began; None if there is none."""
    import psutil

    try:
        return float(psutil.Process(process).create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _name_of(user_id: int) -> str:
    if sys.platform == "win32":
        return ""
    else:  # noqa: RET505 - the type checker knows what it must not look at
        import pwd

        try:
            return pwd.getpwuid(user_id).pw_name
        except KeyError:
            return str(user_id)
