"""Desktops: which one each platform has."""

from __future__ import annotations

import sys

from dispatcher.tasks.notices.desktop import Desktop, NoDesktop


def desktop(platform: str = sys.platform) -> Desktop:
    """Return the desktop of *platform* (as of ``sys.platform``)."""
    if platform == "win32":
        from dispatcher.tasks.notices.windows_box import WindowsDesktop

        return WindowsDesktop()
    if platform == "linux":
        from dispatcher.tasks.notices.notify_send import NotifySend

        return NotifySend()
    return NoDesktop()
