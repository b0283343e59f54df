"""Desktop: shows a notice to the user who sits at the computer, where that can be done, and tells what was chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from dispatcher.tasks.notices.files import Answer, Notice

#: What the ways to answer are called on a desktop.
LABELS = {Answer.NOW: "Begin now", Answer.SNOOZE: "Remind me later", Answer.CANCEL: "Cancel"}
_TITLES = {"deployment": "An installation is ready to begin", "restart": "This computer has to be restarted"}


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user at the keyboard and screen of the computer."""

    name: str = ""
    user_id: int = -1  #: -1: the system has no such numbers
    session: str = ""
    environment: dict[str, str] = field(default_factory=dict)  #: of the session, for programs that show something
    has_desktop: bool = True


class Popup(Protocol):
    """A notice as it is shown."""

    def answer(self) -> Answer | None:
        """Return what the user has chosen; None if that is nothing so far."""

    def close(self) -> None:
        """Show it no longer."""


class Desktop(Protocol):
    """What can show notices."""

    def viewer(self) -> Viewer | None:
        """Return who would see a notice; None if there is nobody, or that is not known."""

    def show(self, viewer: Viewer, notice: Notice) -> Popup | None:
        """Show *notice* with the ways to answer it; None if it cannot be shown."""

    def tell(self, viewer: Viewer, notice: Notice) -> bool:
        """Show *notice* without any way to answer it, and go on; return whether that could be done."""


class NoDesktop:
    """Where nothing can be shown."""

    def viewer(self) -> Viewer | None:
        """Return nobody."""
        return None

    def show(self, viewer: Viewer, notice: Notice) -> Popup | None:  # noqa: ARG002
        """Show nothing."""
        return None

    def tell(self, viewer: Viewer, notice: Notice) -> bool:  # noqa: ARG002
        """Show nothing."""
        return False


def title(notice: Notice) -> str:
    """Return what stands above *notice*."""
    return _TITLES[notice.about]


def body(notice: Notice) -> str:
    """Return what *notice* says, and until when."""
    begins_at = notice.begins_at.astimezone()
    return f"{notice.order.message}\n\nBegins at {begins_at:%H:%M} on {begins_at:%Y-%m-%d}."
