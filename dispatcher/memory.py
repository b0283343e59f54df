"""Memory: how a serving process gets it, keeps it and gives it back."""

from __future__ import annotations

import ctypes
import gc
import sys

#: Larger pieces are given back to the system as soon as they are free (the 19 MiB of each check of a password, say).
LARGE_BYTES = 1 << 20
#: How much may be free at the end of the heap before that is given back: not at every request anew.
_SPARE_BYTES = 4 << 20
# The parameters' numbers in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


def give_back() -> None:
    """Let the C library give large pieces back, and have all threads share what is free. Call it before they start.

    By itself glibc keeps pieces as large as the largest that was ever freed, and an arena for each of several threads.
    Elsewhere than on glibc this changes nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _SPARE_BYTES)
        mallopt(_ARENA_MAX, 1)


def keep() -> None:
    """Leave what was made so far out of collections: it stays anyway, and going through it halves the throughput."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
