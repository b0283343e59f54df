"""Team rules: conditions on what is known of an agent, such as ``os == "linux" and name startswith "web-"``.

Fields: ``name os address online primary_team fact.X``. Operators: ``== != in contains startswith``, joined by
``and or not`` and parentheses; ``true`` and ``false`` stand for themselves. Text is compared without regard to case;
a fact that the agent does not have is empty text. In quotes, a backslash goes before a quote or another backslash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dispatcher.core.errors import InvalidValue

#: How long a rule may be, in characters, and how deep its parentheses and negations.
MAX_LENGTH = 8_000
MAX_DEPTH = 40

FIELDS = frozenset({"name", "os", "address", "online", "primary_team"})
_FACT = "fact."
_TRUTHS = frozenset({"true", "false"})
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<sign>==|!=|[()\[\],])|(?P<word>[^\W\d][\w.\-]*))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\\\"'])")

Facts = Mapping[str, str | bool]
_Test = Callable[[Facts], bool]


class InvalidRule(InvalidValue):
    """The text is no team rule. ``column`` counts from 1."""

    code = "team.invalid_rule"

    def __init__(self, column: int, problem: str) -> None:
        super().__init__("rule", f"column {column}: {problem}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been understood."""

    text: str
    test: _Test

    def fits(self, facts: Facts) -> bool:
        """Whether an agent with *facts* belongs to the team; the keys are the fields, with ``fact.`` before facts."""
        return self.test(facts)


@lru_cache(maxsize=2_000)
def parse(text: str) -> Rule:
    """Return the rule in *text*, in time proportional to its length.

    :raises InvalidRule: if it is none, is longer than ``MAX_LENGTH`` or nested deeper than ``MAX_DEPTH``.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidRule(MAX_LENGTH + 1, f"a rule may have {MAX_LENGTH} characters")
    return Rule(text, _Parser(text).rule())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  #: text, sign, word or end
    value: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.value)


def _tokens(text: str) -> Iterator[_Token]:
    end = len(text.rstrip())
    position = 0
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].lstrip()
            problem = "a quote is never closed" if rest[0] in "\"'" else f"{rest[0]!r} means nothing here"
            raise InvalidRule(len(text) - len(rest) + 1, problem)
        kind = str(match.lastgroup)
        value = match[kind]
        position = match.end()
        # Words of the language are known by their lower case; fields of an agent's facts keep theirs.
        yield _Token(kind, value.lower() if kind == "word" and "." not in value else value, match.start(kind) + 1)
    yield _Token("end", "", end + 1)


class _Parser:
    """Recursive descent: or, and, not, then comparisons and parentheses."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._depth = 0

    def rule(self) -> _Test:
        test = self._any()
        if self._token.kind != "end":
            raise self._unexpected("and, or, or the end")
        return test

    def _any(self) -> _Test:
        tests = [self._all()]
        while self._took("word", "or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) for test in tests)

    def _all(self) -> _Test:
        tests = [self._not()]
        while self._took("word", "and"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)

    def _not(self) -> _Test:
        start = self._token
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidRule(start.column, f"nested deeper than {MAX_DEPTH}")
        try:
            if self._took("word", "not"):
                test = self._not()
                return lambda facts: not test(facts)
            if self._took("sign", "("):
                test = self._any()
                self._expect("sign", ")")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> _Test:
        token = self._token
        if token.kind == "word" and token.value in _TRUTHS:
            self._next()
            return _constant(token.value == "true")
        field = self._field()
        operator = self._next()
        if operator.value == "in" and operator.kind == "word":
            choices = frozenset(self._list())
            return lambda facts: _text(facts, field) in choices
        compare = _COMPARISONS.get(operator.value) if operator.kind in ("word", "sign") else None
        if compare is None:
            raise InvalidRule(operator.column, f"{operator} is none of ==, !=, in, contains, startswith")
        return compare(field, self._value())

    def _field(self) -> str:
        token = self._token
        is_fact = token.value.startswith(_FACT) and len(token.value) > len(_FACT)
        if token.kind != "word" or not (token.value in FIELDS or is_fact):
            raise self._unexpected(f"one of {', '.join(sorted(FIELDS))}, fact.X, not, true, false or (")
        return self._next().value

    def _list(self) -> list[str]:
        self._expect("sign", "[")
        values: list[str] = []
        while not self._took("sign", "]"):
            if values:
                self._expect("sign", ",")
            values.append(self._value())
        return values

    def _value(self) -> str:
        token = self._token
        if token.kind == "text":
            return _ESCAPE.sub(r"\1", self._next().value[1:-1]).casefold()
        if token.kind == "word" and token.value in _TRUTHS:
            return self._next().value
        raise self._unexpected("a text in quotes, true or false")

    def _took(self, kind: str, value: str) -> bool:
        if self._token.kind == kind and self._token.value == value:
            self._next()
            return True
        return False

    def _expect(self, kind: str, value: str) -> None:
        if not self._took(kind, value):
            raise self._unexpected(value)

    def _next(self) -> _Token:
        token = self._token
        if token.kind != "end":
            self._token = next(self._tokens)
        return token

    def _unexpected(self, expected: str) -> InvalidRule:
        return InvalidRule(self._token.column, f"{self._token} where {expected} belongs")


def _text(facts: Facts, field: str) -> str:
    value = facts.get(field, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.casefold()


def _constant(value: bool) -> _Test:
    return lambda _facts: value


_COMPARISONS: dict[str, Callable[[str, str], _Test]] = {
    "==": lambda field, value: lambda facts: _text(facts, field) == value,
    "!=": lambda field, value: lambda facts: _text(facts, field) != value,
    "contains": lambda field, value: lambda facts: value in _text(facts, field),
    "startswith": lambda field, value: lambda facts: _text(facts, field).startswith(value),
}
