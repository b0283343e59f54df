"""Durations: lengths of time as people read them."""

from __future__ import annotations

from datetime import timedelta

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def in_words(duration: timedelta) -> str:
    """Return *duration*, which is not negative, in its largest unit and the next smaller one: ``1 h 5 min``, ``2.5 s``.

    What is below the smaller of them is left out.
    """
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.3g} s"
    first = next(place for place, (length, _) in enumerate(_UNITS) if seconds >= length)
    words, rest = [], int(seconds)
    for length, unit in _UNITS[first : first + 2]:
        count, rest = divmod(rest, length)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words)
