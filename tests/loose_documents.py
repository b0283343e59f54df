"""Loose documents: plain values, and texts that say them in the many ways of loose JSON, for tests of its readers."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8) | st.text(
    "ab\"'\\/\n\r\t{}[]:,", max_size=8
)
#: Values as JSON has them; numbers of 53 bits, and fractions that a text says exactly.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS | st.sampled_from(["Ip", "null", "a1"]), inner),
    max_leaves=10,
)
_SPACE = ["", "", "", " ", "\n", "\r\n\t", "\u00a0", "\ufeff", "/* x, */", "/***/", "// ]}\n"]
_BARE = re.compile("[A-Za-z_$][A-Za-z0-9_$]*")
_ESCAPES = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}


def loose_texts(value: Any, *, json5: bool = False) -> st.SearchStrategy[str]:
    """Return texts that say *value* loosely; with *json5* only in ways that JSON5 has, too."""

    @st.composite
    def texts(draw: st.DrawFn) -> str:
        return _Writer(draw, json5=json5).written(value)

    return texts()


class _Writer:
    """Writes one text by what *draw* chooses."""

    def __init__(self, draw: st.DrawFn, *, json5: bool) -> None:
        self._draw = draw
        self._json5 = json5

    def written(self, value: Any) -> str:
        return f"{self._space()}{self._value(value)}{self._space()}"

    def _chooses(self) -> bool:
        return self._draw(st.booleans())

    def _space(self) -> str:
        return self._draw(st.sampled_from(_SPACE))

    def _value(self, value: Any) -> str:
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            inner = ",".join(self.written(one) for one in value)
            return f"[{inner}{self._trailing(value)}]"
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        return self._number(value)

    def _object(self, members: dict[str, Any]) -> str:
        text, between = "", ""
        for name, value in members.items():
            said = f"{self._space()}{self._name(name)}{self._space()}:{self.written(value)}"
            text += between + said
            may_lack = isinstance(value, (dict, list)) and not self._json5
            between = " " if may_lack and self._chooses() else ","
        return f"{{{text}{self._trailing(members)}}}"

    def _trailing(self, value: Any) -> str:
        return f",{self._space()}" if value and self._chooses() else self._space()

    def _name(self, name: str) -> str:
        return name if _BARE.fullmatch(name) and self._chooses() else self._text(name)

    def _number(self, value: float) -> str:
        text = repr(value)
        if self._chooses() and text.startswith("0.") and "e" not in text:
            return text[1:]
        if self._chooses() and text.endswith(".0"):
            return text[:-1]
        return f"+{text}" if self._chooses() and not text.startswith("-") else text

    def _text(self, text: str) -> str:
        quote = "'" if self._chooses() else '"'
        return quote + "".join(self._character(one, quote) for one in text) + quote

    def _character(self, character: str, quote: str) -> str:
        if character in (quote, "\\"):
            return f"\\{character}"
        # JSON5 has no line breaks in texts.
        must = self._json5 and character in "\n\r"
        if character in _ESCAPES and (must or self._chooses()):
            return f"\\{_ESCAPES[character]}"
        if ord(character) < 0x10000 and self._draw(st.integers(0, 9)) == 0:
            return f"\\u{ord(character):04x}" if not must else f"\\{_ESCAPES[character]}"
        return character
