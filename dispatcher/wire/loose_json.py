r"""Loose JSON: the relaxed text that the bodies of Ivanti Endpoint Security hold (contract IES 1.2), to plain values.

What is read beside strict JSON, each with one meaning:

- names of members without quotes: letters, digits, ``_`` and ``$``, not beginning with a digit;
- texts and names in single quotes, in which ``"`` stands for itself; ``\'`` is an escape in either;
- line breaks, tabs and other control characters in texts as they are, and the blanks of Unicode between all;
- comments, ``// to the end of the line`` and ``/* from here to there */``;
- a comma behind the last member or element;
- no comma between two members of an object if the value of the first is an object or an array, as in the vendor's own
  sample;
- of members with the same name the last;
- numbers with a plus (``+1``), and with nothing before or behind the point (``.5``, ``5.``).

What JSON5 reads beyond that is refused, as it is more likely a mistake than meant: the escapes ``\v``, ``\x41`` and
``\`` before any other character (the backslash of ``LAB\ops`` would vanish), hexadecimal numbers, ``NaN`` and
``Infinity``. So are numbers with leading zeros, which some read as octal, and NUL and lone surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isinf
from typing import Any, cast

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.json_reader import Number
from dispatcher.wire.quotas import Quotas

_BLANKS = r"[\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
_LINE_COMMENT = r"//[^\n\r\u2028\u2029]*+"
_COMMENT = r"/\*(?:[^*]++|\*(?!/))*+"  # without its end
_COMMENTS = rf"{_LINE_COMMENT}|{_COMMENT}\*/"
# One token with the blanks before it. Everything is possessive, so that no input makes it look at a character twice,
# and what fits nothing ends the reading.
_TOKEN = re.compile(
    rf"(?:{_BLANKS}++|{_COMMENTS})*+"
    r"(?:(?P<mark>[{}\[\],:])"
    r"|(?P<integer>-?(?:0|[1-9][0-9]{0,17}+)(?![\w$+.\-]))"
    r"|(?P<word>[\w$+.\-]++)"
    r'|"(?P<double>(?:[^"\\]++|\\.)*+)"'
    r"|'(?P<single>(?:[^'\\]++|\\.)*+)'"
    r"|(?P<end>\Z))?",
    re.DOTALL,
)
# What stands before a comma and is none: texts and comments are passed over, with or without an end, so that none is
# looked at again.
_UP_TO_COMMA = (
    rf"""(?:[^"',/]++|{_LINE_COMMENT}|{_COMMENT}(?:\*/)?|/(?![/*])|"(?:[^"\\]++|\\.)*+"?|'(?:[^'\\]++|\\.)*+'?)*+,"""
)
# All of a token is optional: it always matches.
_token_at = cast("Callable[[str, int], re.Match[str]]", _TOKEN.match)
_NAME = re.compile(r"[^\W\d][\w$]*+|\$[\w$]*+")
_NUMBER = re.compile(
    r"(?P<integer>[+-]?(?:0|[1-9][0-9]*+)\Z)|[+-]?(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?"
)
_WORDS = {"true": True, "false": False, "null": None}
_PAIR = r"[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\(?:u({_PAIR})|u([0-9a-fA-F]{{4}})|(.))", re.DOTALL)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NO_TEXT = "a NUL character, or half of a surrogate pair"
_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")
#: What a quota is of.
_VALUES = "members and elements"
#: Quotes that word processors put in place of straight ones.
_CURLY = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_LINE_END = re.compile(r"\r\n?|\n")
#: What is found, by the kind of the token; marks stand for themselves. It tells nothing of what was sent.
_FOUND = {"integer": "a number", "word": "a bare word", "double": "a text", "single": "a text", "end": "the end"}


def read_loose_json(text: str, quotas: Quotas) -> Any:
    """Return the value in *text*, in a time linear in its length; numbers that are no integers as ``Number``.

    :raises QuotaExceeded: if it is larger, deeper or wider than *quotas*, or has longer texts or integers.
    :raises BadRequest: if it cannot be read. Either error begins with the line and the column, from 1, in which a line
        ends with CR, LF or both, and tells what was expected; it quotes nothing of the text, which may hold passwords.
    """
    if len(text) > quotas.message_bytes:
        raise _excess(text, 0, "characters", quotas.message_bytes)
    if found := _IMPOSSIBLE.search(text):
        raise _error(text, found.start(), _NO_TEXT)
    if text.count(",") > quotas.json_values:
        # There are no more of them than members and elements, and they are found before a value is made.
        beyond = re.compile(f"(?:{_UP_TO_COMMA}){{{quotas.json_values + 1}}}", re.DOTALL)
        if wide := beyond.match(text):
            raise _excess(text, wide.end() - 1, _VALUES, quotas.json_values)
    return _Reader(text, quotas).read()


class _Reader:
    """Goes through *text* token by token, with a list of what is open instead of recursion."""

    def __init__(self, text: str, quotas: Quotas) -> None:
        self._text = text
        self._quotas = quotas
        self._containers = 0
        self._values = 0
        self._opened = 0  #: where the latest of them begins
        self._token = _token_at(text, 0)
        #: Whether a comma has to come before the next member or element; and whether it may be missing in an object.
        self._needs_comma = self._may_lack_comma = False

    def read(self) -> Any:
        """Return the value; nothing may follow it."""
        top = self._value("a value")
        within: list[dict[str, Any] | list[Any]] = [top] if isinstance(top, (dict, list)) else []
        while within:
            inner = within[-1]
            if self._closes(inner):
                within.pop()
                continue
            self._count_value()
            if isinstance(inner, dict):
                name = self._name()
                value = self._value("a value")
                inner.pop(name, None)  # the last of a name is the last in order, too
                inner[name] = value
            else:
                value = self._value("a value or ']'")
                inner.append(value)
            if isinstance(value, (dict, list)):
                within.append(value)
                self._check_depth(len(within))
        if self._token.lastgroup != "end":
            raise self._expected("the end of the text")
        return top

    def _advance(self) -> None:
        self._token = _token_at(self._text, self._token.end())

    def _closes(self, within: dict[str, Any] | list[Any]) -> bool:
        """Whether *within* ends here; if not, its next member or element begins here."""
        is_object = isinstance(within, dict)
        close, mark = "}" if is_object else "]", self._token["mark"]
        if self._needs_comma and mark != close:
            if mark == ",":
                self._advance()
                mark = self._token["mark"]
            elif not (is_object and self._may_lack_comma):
                raise self._expected(f"',' or '{close}'")
        if mark != close:
            return False
        self._advance()
        self._needs_comma = self._may_lack_comma = True
        return True

    def _name(self) -> str:
        """Take the name of a member and the colon behind it."""
        kind, word = self._token.lastgroup, self._token["word"]
        if word is not None and _NAME.fullmatch(word):
            name: str = word
        elif kind in ("double", "single"):
            name = self._text_of(kind)
        elif kind in ("word", "integer"):
            raise self._expected("a name, which needs quotes unless it is made of letters, digits, '_' and '$',")
        else:
            raise self._expected("a name or '}'")
        self._advance()
        if self._token["mark"] != ":":
            raise self._expected("':' behind a name")
        self._advance()
        return name

    def _value(self, expected: str) -> Any:
        """Take a value; of an object or an array only its beginning."""
        kind = self._token.lastgroup
        self._needs_comma, self._may_lack_comma = True, False
        value: Any
        if kind == "integer":
            value = int(self._token["integer"])
        elif kind in ("double", "single"):
            value = self._text_of(kind)
        elif kind == "word":
            value = self._word(self._token["word"])
        elif self._token["mark"] in ("{", "["):
            value = {} if self._token["mark"] == "{" else []
            self._needs_comma = False
            self._count_container()
        else:
            raise self._expected(expected)
        self._advance()
        return value

    def _text_of(self, kind: str) -> str:
        """Return the text in quotes that this token is, without its escapes."""
        text: str = self._token[kind]
        if len(text) > self._quotas.string_chars:
            raise _excess(self._text, self._begin, "characters of one text", self._quotas.string_chars)
        return _ESCAPE.sub(self._unescaped, text) if "\\" in text else text

    def _unescaped(self, escape: re.Match[str]) -> str:
        pair, code, letter = escape.groups()
        if pair is not None:
            return (chr(int(pair[:4], 16)) + chr(int(pair[6:], 16))).encode("utf-16", "surrogatepass").decode("utf-16")
        if letter is None:
            found = chr(int(code, 16))
            if not _IMPOSSIBLE.match(found):
                return found
        elif letter in _ESCAPED:
            return _ESCAPED[letter]
        told = "no escape that there is; a backslash is written as two" if code is None else _NO_TEXT
        raise _error(self._text, self._begin + 1 + escape.start(), told)

    def _word(self, word: str) -> bool | int | Number | None:
        """Return what a *word* without quotes stands for."""
        if word in _WORDS:
            return _WORDS[word]
        number = _NUMBER.fullmatch(word)
        if number is None:
            raise self._expected("a value, of which texts need quotes and numbers are decimal,")
        if len(word.lstrip("+-")) > self._quotas.json_integer_digits:
            raise _excess(self._text, self._begin, "digits of a number", self._quotas.json_integer_digits)
        if number["integer"] is not None:
            return int(word)
        value = Number(word)
        if isinf(value):
            raise _error(self._text, self._begin, "a number that is too large")
        return value

    def _count_container(self) -> None:
        self._containers += 1
        self._opened = self._begin
        if self._containers > self._quotas.json_containers:
            raise _excess(self._text, self._opened, "objects and arrays", self._quotas.json_containers)

    def _count_value(self) -> None:
        self._values += 1
        if self._values > self._quotas.json_values:
            raise _excess(self._text, self._begin, _VALUES, self._quotas.json_values)

    def _check_depth(self, depth: int) -> None:
        if depth > self._quotas.json_depth:
            raise _excess(self._text, self._opened, "depth", self._quotas.json_depth)

    @property
    def _begin(self) -> int:
        """Where this token begins, with its quotes."""
        kind = self._token.lastgroup
        if kind is None:
            return self._token.end()
        return self._token.start(kind) - (kind in ("double", "single"))

    def _expected(self, what: str) -> BadRequest:
        """Return the error that this token is not *what* was expected."""
        kind, begin = self._token.lastgroup, self._begin
        if kind is None:
            return _error(self._text, begin, self._stray(begin, what))
        found = f"'{self._token['mark']}'" if kind == "mark" else _FOUND[kind]
        return _error(self._text, begin, f"expected {what} but found {found}")

    def _stray(self, begin: int, what: str) -> str:
        """Tell what is wrong with what is no token."""
        if self._text.startswith("/*", begin):
            return "a comment that has no end"
        if self._text[begin] in "'\"":
            return "a text that has no end"
        is_quote = self._text[begin] in _CURLY
        return f"expected {what} but found {'a curly quote; only straight ones are' if is_quote else 'something else'}"


def _error(text: str, position: int, told: str) -> BadRequest:
    return BadRequest(f"{_place(text, position)}: {told}")


def _excess(text: str, position: int, what: str, limit: int) -> QuotaExceeded:
    return QuotaExceeded(f"{_place(text, position)}: it exceeds the quota: {what}, at most {limit}")


def _place(text: str, position: int) -> str:
    line, begin = 1, 0
    for line, end in enumerate(_LINE_END.finditer(text, 0, position), 2):  # noqa: B007 - the last ones count
        begin = end.end()
    return f"line {line}, column {position - begin + 1}"
