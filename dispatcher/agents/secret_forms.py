"""Secret forms: how programs write a secret that quote or encode what they show, so that it is found there, too."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

#: What everything below writes as it is.
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
#: Characters with an escape of their own between the double quotes of YAML.
_YAML = dict(zip('\0\a\b\t\n\v\f\r\x1b"\\\x85\xa0\u2028\u2029', '0abtnvfre"\\N_LP', strict=True))
_UNPRINTABLE = re.compile(r'["\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff\U00010000-\U0010ffff]')
_NOT_ASCII = re.compile(r'["\\]|[^ -~]')


def forms(secret: str) -> set[str]:
    """Return *secret* as it is, and as shells, JSON, YAML, Python, URLs and a terminal write it.

    What a shell, YAML, Python or JSON has written may stand inside JSON or Python once more, as in Ansible's results.
    """
    if _PLAIN.fullmatch(secret):
        return {secret}
    inner = {secret, *_in_shells(secret), *_in_yaml(secret), *_in_json(secret), *_in_python(secret)}
    outer = {form for one in inner for write in (_in_json, _in_python) for form in write(one)}
    return inner | outer | {secret.replace("\n", "\r\n")} | set(_in_urls(secret))


def _in_shells(secret: str) -> Iterator[str]:
    """Give it as it stands between single quotes: by Python's ``shlex``, by others and by PowerShell."""
    for quoted in ("'\"'\"'", r"'\''", "''"):
        yield secret.replace("'", quoted)


def _in_yaml(secret: str) -> Iterator[str]:
    """Give it as it stands between double quotes; between single quotes it is as in PowerShell."""
    for escaped in (_NOT_ASCII, _UNPRINTABLE):
        yield escaped.sub(_escape, secret)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if character in _YAML:
        return f"\\{_YAML[character]}"
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _in_json(secret: str) -> Iterator[str]:
    for is_ascii in (True, False):
        yield json.dumps(secret, ensure_ascii=is_ascii)[1:-1]


def _in_python(secret: str) -> Iterator[str]:
    """Give it as a text and as bytes, between either quotes: what else stands between them decides which."""
    octets = secret.encode(errors="surrogatepass")
    yield from (repr(secret)[1:-1], repr(f'"{secret}')[2:-1])
    yield from (repr(octets)[2:-1], repr(b'"' + octets)[3:-1])


def _in_urls(secret: str) -> Iterator[str]:
    encode: Callable[..., str]
    for encode, safe in ((quote, "/"), (quote, ""), (quote_plus, "")):
        yield encode(secret, safe=safe, errors="surrogatepass")
