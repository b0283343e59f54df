"""Oracle: what an input may cost: processor time, steps of Python that are counted, and memory."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

#: What no input may cost more of, in seconds of this thread; many times what the slowest need.
SECONDS, SECONDS_PER_BYTE = 0.1, 50e-6
#: Twice an input may take so many times the steps, and so many more.
FACTOR, STEPS = 2.5, 5_000
#: What may be in memory at once, in bytes: an object of many members may take three bytes in a message.
BYTES, BYTES_PER_BYTE = 4 << 20, 600

Run = Callable[[bytes], object]


def check_time(run: Run, data: bytes) -> None:
    """Run it. An input that seems slow is measured again, as others may have kept the processor's caches busy."""
    most = SECONDS + SECONDS_PER_BYTE * len(data)
    if _seconds(run, data) > most:
        least = min(_seconds(run, data) for _ in range(3))
        assert least <= most, f"{least:.3f} s of processor time for {len(data)} bytes"


def check_growth(run: Run, data: bytes, begin: int, end: int, size: int = 8_192) -> None:
    """Run *data* with its part from *begin* to *end* repeated so often, twice as often, and again, up to *size*.

    Lines of Python are counted and memory is measured, neither of which depends on how busy the machine is.
    """
    if not data[begin:end]:
        return
    # Even numbers: what opens with one copy closes with the next.
    times = max(2, (size - len(data)) // len(data[begin:end]) // 8 * 2)
    inputs = [grown(data, begin, end, times * factor) for factor in (1, 2, 4, 8)]
    run(inputs[0])  # what is compiled once does not count
    steps = [_steps(run, one) for one in inputs[:3]]
    if _is_too_much(steps) and _is_too_much([*steps[1:], _steps(run, inputs[3])]):
        raise AssertionError(f"{steps} steps for {[len(one) for one in inputs[:3]]} bytes")
    check_time(run, inputs[2])
    peak = _peak(run, inputs[2])
    assert peak <= BYTES + BYTES_PER_BYTE * len(inputs[2]), f"{peak} bytes of memory for {len(inputs[2])} bytes"


def grown(data: bytes, begin: int, end: int, times: int) -> bytes:
    """Return *data* with *times* its part from *begin* to *end* in place of that."""
    return data[:begin] + data[begin:end] * times + data[end:]


def _is_too_much(steps: list[int]) -> bool:
    """Whether the last doubling took more than twice what the one before took, and twice as much in all."""
    few, many, most = steps
    return most - many > FACTOR * max(0, many - few) + STEPS and most > FACTOR * many + STEPS


def _seconds(run: Run, data: bytes) -> float:
    begin = time.thread_time()
    run(data)
    return time.thread_time() - begin


def _steps(run: Run, data: bytes) -> int:
    """Return how many lines of Python are passed."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run(data)
    finally:
        sys.settrace(before)
    return count


def _peak(run: Run, data: bytes) -> int:
    tracemalloc.start()
    try:
        run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
