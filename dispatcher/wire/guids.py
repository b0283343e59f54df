"""GUIDs: upper case in braces on output, almost any spelling on input (contract section 1.3)."""

from __future__ import annotations

import re
from functools import lru_cache
from uuid import UUID

import orjson

from dispatcher.core.errors import InvalidValue

#: What stands where no object is meant (contract section 3.6).
NO_GUID = "{00000000-0000-0000-0000-000000000000}"

_GUID = re.compile(r"[{(]?([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})[)}]?", re.IGNORECASE)
#: The longest spelling.
_LONGEST = len(NO_GUID)


def format_guid(value: UUID) -> str:
    """Return *value* as ``{UPPERCASE-WITH-DASHES}``."""
    return "{" + orjson.dumps(value)[1:-1].decode().upper() + "}"


def find_guid(text: str) -> UUID | None:
    """Return the GUID that *text* spells (braces or none, any case, blanks around), None if it spells none."""
    text = text.strip()
    return _find(text) if len(text) <= _LONGEST else None


@lru_cache(1024)  # most messages name what others have named before, some of it several times
def _find(text: str) -> UUID | None:
    match = _GUID.fullmatch(text)
    return UUID(match[1]) if match else None


def parse_guid(text: str | None, member: str) -> UUID:
    """Return the GUID that *text*, the value of *member*, spells.

    :raises InvalidValue: if there is no text or it spells no GUID; the error names *member*.
    """
    value = find_guid(text or "")
    if value is None:
        shown = (text or "").strip()[:100]
        raise InvalidValue(member, f"{shown!r} is no GUID" if shown else "a GUID is missing")
    return value
