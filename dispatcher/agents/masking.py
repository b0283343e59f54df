"""Masking: takes secret values out of a stream of output, also where a chunk ends in the middle of one."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from copy import copy

from dispatcher.agents.secret_forms import forms

MASK = b"********"
#: How many bytes of a secret are looked for at every place; the rest is compared only there.
_HEAD = 8


class Masker:
    """Replaces every occurrence of some secrets in a stream.

    Secrets are looked for as UTF-8, also as ``secret_forms`` says that programs write them. What else an output makes
    of them (Base64, lines broken elsewhere, another character set) is not.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        wanted = {form.encode(errors="surrogatepass") for secret in set(secrets) if secret for form in forms(secret)}
        self._secrets = sorted(wanted)
        self._longest = max(map(len, wanted), default=0)
        self._head = min(_HEAD, *map(len, wanted)) if wanted else 0
        #: The longest secret at a place comes first.
        self._by_head: dict[bytes, list[bytes]] = defaultdict(list)
        for secret in sorted(wanted, key=len, reverse=True):
            self._by_head[secret[: self._head]].append(secret)
        self._first_bytes = {head[:1] for head in self._by_head}
        self._pattern = _pattern(self._by_head) if wanted else None
        self._held = b""
        self._masked = 0  #: how many of the held bytes belong to a secret whose mask has been written

    def feed(self, data: bytes) -> bytes:
        """Return what is now known of the masked stream; the beginning of a possible secret is held back."""
        if self._pattern is None:
            return data
        data = self._held + data
        return self._mask(data, self._hold_from(data))

    def finish(self) -> bytes:
        """Return the rest of the masked stream."""
        return self._mask(self._held, len(self._held)) if self._held else b""

    def text(self, text: str) -> str:
        """Return *text* masked; it is no part of the stream."""
        masker = copy(self)
        masker._held, masker._masked = b"", 0
        return (masker.feed(text.encode(errors="replace")) + masker.finish()).decode()

    def _hold_from(self, data: bytes) -> int:
        for position in range(max(0, len(data) - self._longest + 1), len(data)):
            if data[position : position + 1] in self._first_bytes:
                rest = data[position:]
                following = bisect_right(self._secrets, rest)
                if following < len(self._secrets) and self._secrets[following].startswith(rest):
                    return position
        return len(data)

    def _mask(self, data: bytes, end: int) -> bytes:
        """Mask ``data[:end]`` and hold the rest back."""
        parts = []
        written = self._masked  #: everything before is written, as itself or as a mask
        open_mask = written > 0
        for match in self._pattern.finditer(data) if self._pattern else ():
            start = match.start()
            if start >= end:
                break
            stop = self._stop(data, start)
            if stop is None:
                continue
            if start > written or not open_mask:
                parts += [data[written:start], MASK]
                open_mask = True
            written = max(written, stop)
        if written < end:
            parts.append(data[written:end])
        self._held = data[end:]
        self._masked = max(0, written - end)
        return b"".join(parts)

    def _stop(self, data: bytes, start: int) -> int | None:
        """Return where the longest secret ends that begins at *start*, or None if none does."""
        for secret in self._by_head.get(data[start : start + self._head], ()):
            if data.startswith(secret, start):
                return start + len(secret)
        return None


def _pattern(heads: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return what matches, without a byte of it, wherever one of *heads* may be; they are all of the same length."""
    sets = (b"".join(b"\\x%02x" % byte for byte in set(column)) for column in zip(*heads, strict=True))
    return re.compile(b"(?=" + b"".join(b"[" + one + b"]" for one in sets) + b")")
