"""Windows box: notices as message boxes in the session at the console of Windows. Not tried on Windows.

Its session service shows them, so that an agent that runs as a service can be seen. The buttons of such a box have
fixed names; the text says what they mean.
"""

from __future__ import annotations

import ctypes
import threading
from datetime import UTC, datetime
from typing import Any

from dispatcher.tasks.notices.desktop import Popup, Viewer, body, title
from dispatcher.tasks.notices.files import Answer, Notice

_NO_SESSION = 0xFFFFFFFF
#: Styles and answers of ``MessageBox``.
_OK, _YES_NO_CANCEL, _YES_NO, _INFORMATION, _TOPMOST = 0x0, 0x3, 0x4, 0x40, 0x40000
_ID_CANCEL, _ID_YES, _ID_NO = 2, 6, 7


class WindowsDesktop:
    """Shows notices by ``WTSSendMessage``."""

    def viewer(self) -> Viewer | None:
        """Return the session at the console; who it is nobody needs to know."""
        session = _libraries().kernel32.WTSGetActiveConsoleSessionId() & _NO_SESSION
        return None if session == _NO_SESSION else Viewer(session=str(session))

    def show(self, viewer: Viewer, notice: Notice) -> Popup | None:
        """Show *notice* until it is answered, or what it tells begins."""
        return _Box(viewer, notice)

    def tell(self, viewer: Viewer, notice: Notice) -> bool:
        """Show *notice*, and go on."""
        return bool(_send(viewer, notice, body(notice), _OK, 0, wait=False)[0])


class _Box:
    """A box; a thread waits for it, which ends with it or with this process."""

    def __init__(self, viewer: Viewer, notice: Notice) -> None:
        self._answer: Answer | None = None
        self._is_open = True
        threading.Thread(target=self._wait, args=(viewer, notice), daemon=True).start()

    def answer(self) -> Answer | None:
        """Return what the user has chosen."""
        given, self._answer = self._answer, None
        return given if self._is_open else None

    def close(self) -> None:
        """Listen no longer. The box itself stays until what it tells begins: nothing takes it away before."""
        self._is_open = False

    def _wait(self, viewer: Viewer, notice: Notice) -> None:
        lines = ["Yes: begin now."]
        lines += ["No: remind me later."] if Answer.SNOOZE in notice.answers else ["No: wait until then."]
        lines += ["Cancel: do not do it."] if Answer.CANCEL in notice.answers else []
        style = _YES_NO_CANCEL if Answer.CANCEL in notice.answers else _YES_NO
        left_s = max(1, int((notice.begins_at - datetime.now(UTC)).total_seconds()))
        _, chosen = _send(viewer, notice, "\n".join([body(notice), "", *lines]), style, left_s, wait=True)
        meaning = {_ID_YES: Answer.NOW, _ID_NO: Answer.SNOOZE, _ID_CANCEL: Answer.CANCEL}
        answer = meaning.get(chosen)
        self._answer = answer if answer in notice.answers else None


def _send(viewer: Viewer, notice: Notice, text: str, style: int, left_s: int, *, wait: bool) -> tuple[int, int]:
    """Return whether it was shown, and the number of the button that was pressed."""
    heading, response = title(notice), ctypes.c_uint32()
    style |= _INFORMATION | (_TOPMOST if notice.order.on_top else 0)
    shown = _libraries().wtsapi32.WTSSendMessageW(
        None,  # this computer
        ctypes.c_uint32(int(viewer.session)),
        ctypes.c_wchar_p(heading),
        ctypes.c_uint32(_bytes(heading)),
        ctypes.c_wchar_p(text),
        ctypes.c_uint32(_bytes(text)),
        ctypes.c_uint32(style),
        ctypes.c_uint32(left_s),
        ctypes.byref(response),
        ctypes.c_int(wait),
    )
    return int(shown), int(response.value)


def _bytes(text: str) -> int:
    return len(text.encode("utf-16-le"))


def _libraries() -> Any:
    return ctypes.windll  # type: ignore[attr-defined, unused-ignore]
