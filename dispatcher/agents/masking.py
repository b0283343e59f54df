"""Masking: takes secret values out of a stream of output, also where a chunk ends in the middle of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

MASK = b"********"


class Masker:
    """Replaces every occurrence of some secrets in a stream.

    Secrets are looked for as UTF-8, also as JSON, Python and a terminal write them. What else an output makes of them
    (Base64, URL encoding, another character set) is not.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._given = {secret for secret in secrets if secret}
        forms = {form.encode(errors="surrogatepass") for secret in self._given for form in _forms(secret)}
        wanted = sorted(forms, key=len, reverse=True)
        self._secrets = wanted
        # Looking ahead finds occurrences that overlap; the longest one at a place comes first.
        self._pattern = re.compile(b"(?=(" + b"|".join(map(re.escape, wanted)) + b"))", re.DOTALL) if wanted else None
        self._longest = len(wanted[0]) if wanted else 0
        self._first_bytes = {secret[:1] for secret in wanted}
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
        masker = Masker(self._given)
        return (masker.feed(text.encode(errors="replace")) + masker.finish()).decode()

    def _hold_from(self, data: bytes) -> int:
        for position in range(max(0, len(data) - self._longest + 1), len(data)):
            if data[position : position + 1] in self._first_bytes:
                rest = data[position:]
                if any(len(secret) > len(rest) and secret.startswith(rest) for secret in self._secrets):
                    return position
        return len(data)

    def _mask(self, data: bytes, end: int) -> bytes:
        """Mask ``data[:end]`` and hold the rest back."""
        parts = []
        written = self._masked  #: everything before is written, as itself or as a mask
        open_mask = written > 0
        for match in self._pattern.finditer(data) if self._pattern else ():
            start, stop = match.span(1)
            if start >= end:
                break
            if start > written or not open_mask:
                parts += [data[written:start], MASK]
                open_mask = True
            written = max(written, stop)
        if written < end:
            parts.append(data[written:end])
        self._held = data[end:]
        self._masked = max(0, written - end)
        return b"".join(parts)


def _forms(secret: str) -> Iterator[str]:
    """Give *secret* as it is, and as programs write it that quote what they show, as Ansible does."""
    yield secret
    yield from (json.dumps(secret, ensure_ascii=is_plain)[1:-1] for is_plain in (True, False))
    yield repr(secret)[1:-1]
    yield secret.replace("\n", "\r\n")
