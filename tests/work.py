"""Work: how much processor time something costs, and whether that grows no faster than its input."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

#: Twice the input may cost this much more: twice, and room for caches and noise.
_FACTOR = 4
#: No hostile message of the largest size may cost more than some seconds.
_MOST_S_PER_BYTE = 1e-6
#: What cannot be told from noise, in seconds.
_NOISE_S = 0.02


def assert_linear(
    work: Callable[[int], object], size: int = 250_000, most_s_per_byte: float = _MOST_S_PER_BYTE
) -> None:
    """Do *work* at half of *size* (in bytes) and at *size*: the second must cost at most four times the first."""
    gc.freeze()  # what the other tests have left is none of its garbage, and takes longer to look through than the work
    try:
        for attempts_left in (2, 1, 0):
            half, whole = _cost(work, size // 2), _cost(work, size)
            if whole <= _FACTOR * max(half, _NOISE_S) and whole < most_s_per_byte * size:
                return
            assert attempts_left, f"{half:.3f} s, and {whole:.3f} s for twice the size"
    finally:
        gc.unfreeze()


def _cost(work: Callable[[int], object], size: int) -> float:
    """Return the seconds of this thread alone."""
    gc.collect()
    begin = time.thread_time()
    work(size)
    return time.thread_time() - begin
