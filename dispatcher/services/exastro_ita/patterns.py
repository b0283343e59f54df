"""Patterns: the regular expressions of columns. RE2 reads them: none of them makes a value costly to judge."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

#: Bytes that a compiled pattern may take.
_MAX_MEMORY = 1 << 20
#: The longest pattern.
MAX_CHARACTERS = 1_000


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> Any:
    """Return *pattern* compiled; ``.`` is any character, a line break too, as in the vendor's checks.

    :raises ValueError: if it is none of RE2's, or too large; the text says why.
    """
    if len(pattern) > MAX_CHARACTERS:
        raise ValueError(f"is longer than {MAX_CHARACTERS} characters")
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0] if error.args else ""
        reason = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        raise ValueError(f"is no regular expression of RE2: {reason}") from None


def fits(pattern: str, text: str) -> bool:
    """Whether the whole *text*, which is Unicode, fits *pattern*, which compiles."""
    return compile_pattern(pattern).fullmatch(text) is not None
