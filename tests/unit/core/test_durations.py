"""Durations are written for people: two units at most, and none that says nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dispatcher.core.durations import in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (2, "2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (180, "3 min"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (3_900.5, "1 h 5 min"),
        (86_399, "23 h 59 min"),
        (86_400 + 60, "1 d"),
        (400 * 86_400 + 7_200, "400 d 2 h"),
    ],
)
def test_duration_in_words(seconds: float, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
