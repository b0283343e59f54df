"""Boots: how to tell by what an agent says whether its computer has been booted."""

from __future__ import annotations

#: Two moments of boot (in seconds) that are no further apart are the same: a system without an id of each boot works
#: the moment out anew whenever it is asked, and its clock may have been set meanwhile.
_BLUR_S = 60


def is_other_boot(known: str, said: str) -> bool:
    """Whether *said* is the id of another boot than *known*; no id tells nothing.

    An id is any text, or the moment of the boot in whole seconds where the system has no ids.
    """
    if not said or said == known:
        return False
    if _is_moment(known) and _is_moment(said):
        return abs(int(known) - int(said)) > _BLUR_S
    return True


def _is_moment(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12
