"""Keys: what stands in parentheses in a path, such as ``Jobs(17)``."""

from __future__ import annotations

from uuid import UUID

from dispatcher.core.errors import NotFound


class NoSuchKey(NotFound):
    """What stands in the path is no key of such a thing, so there is none."""

    code = "ies.no_such_key"

    def __init__(self, kind: str, text: str) -> None:
        self.kind = kind
        super().__init__(text[:100])


def to_number(text: str, kind: str) -> int:
    """Return the number that *text* is.

    :raises NoSuchKey: if it is none.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NoSuchKey(kind, text)
    return int(text)


def to_guid(text: str, kind: str) -> UUID:
    """Return the GUID that *text* is.

    :raises NoSuchKey: if it is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise NoSuchKey(kind, text) from None
