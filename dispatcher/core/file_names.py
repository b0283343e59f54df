"""File names: which names a file may have on every system that an agent runs on."""

from __future__ import annotations

import re

#: What the file systems of agents take, in UTF-8.
_MOST_BYTES = 255
#: What no name has on one system or another, what makes it look like another (``exe.txt`` for ``txt.exe``), and what no
#: datastore takes: controls, and halves of pairs.
_FORBIDDEN = re.compile(
    r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]|^\s|\s$|\.$'
)
#: Devices, whatever ending they have. https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[1-9\xb9\xb2\xb3]) *(\.|$)", re.IGNORECASE)


def is_file_name(text: str) -> bool:
    """Whether *text* is the name of a file, without any directory, that is good everywhere."""
    is_good = bool(text) and not _FORBIDDEN.search(text) and not _DEVICE.match(text)
    return is_good and len(text.encode()) <= _MOST_BYTES
