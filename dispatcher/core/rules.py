"""Rules: conditions such as ``os == "linux" and not (name startswith "web-" or fact.memory_gb < 8)``.

One grammar for team rules (``core.team_rules``) and conditions (``core.conditions``); what may be asked about differs.
Operators: ``== != in contains startswith`` for text, ``== != in < <= > >=`` for numbers, joined by ``and or not`` and
parentheses; ``true`` and ``false`` stand for themselves. Text is compared without regard to case; what is not known is
empty text; a text that is no number is neither less nor more than one, and equal to none. In quotes, a backslash goes
before a quote or another backslash.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from dispatcher.core.errors import InvalidValue

#: How long a rule may be, in characters, and how deep its parentheses and negations.
MAX_LENGTH = 8_000
MAX_DEPTH = 40

_FACT = "fact."
_TRUTHS = frozenset({"true", "false"})
_TOKEN = re.compile(
    r"\s*(?:(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<parameter>\$\[[^\[\]\r\n]{1,255}\])"
    r"|(?P<number>-?[0-9]{1,30}(?:\.[0-9]{1,30})?)"
    r"|(?P<sign>==|!=|<=|>=|<|>|[()\[\],])"
    r"|(?P<word>[^\W\d][\w.\-]*))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\([\\\"'])")
#: A longer text is no number: nobody counts that far.
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")

Facts = Mapping[str, str | bool]
_Test = Callable[[Facts], bool]


class InvalidRule(InvalidValue):
    """The text is no rule. ``column`` counts from 1."""

    code = "rule.invalid"

    def __init__(self, column: int, problem: str) -> None:
        super().__init__("rule", f"column {column}: {problem}")
        self.column = column


@dataclass(frozen=True, slots=True)
class Fields:
    """What the rules of one kind may ask about: these names, ``fact.X`` and ``$[Name]``."""

    names: frozenset[str]
    has_facts: bool = True
    has_parameters: bool = False

    def holds(self, kind: str, name: str) -> bool:
        """Whether the token *name* of *kind* (word or parameter) is one of them."""
        if kind == "parameter":
            return self.has_parameters
        is_fact = self.has_facts and name.startswith(_FACT) and len(name) > len(_FACT)
        return kind == "word" and (name in self.names or is_fact)

    def __str__(self) -> str:
        more = [text for text, has in (("fact.X", self.has_facts), ("$[Name]", self.has_parameters)) if has]
        return ", ".join([*sorted(self.names), *more])


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that has been understood. ``parameters`` are the names that it asks about, in order."""

    text: str
    test: _Test
    parameters: tuple[str, ...] = ()

    def fits(self, facts: Facts) -> bool:
        """Whether the rule is true of *facts*: by field, with ``fact.`` before facts, parameters as ``$[Name]``."""
        return self.test(facts)


@lru_cache(maxsize=2_000)
def parse(text: str, fields: Fields) -> Rule:
    """Return the rule in *text*, which may ask about *fields*, in time proportional to its length.

    :raises InvalidRule: if it is none, is longer than ``MAX_LENGTH`` or nested deeper than ``MAX_DEPTH``.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidRule(MAX_LENGTH + 1, f"a rule may have {MAX_LENGTH} characters")
    parser = _Parser(text, fields)
    test = parser.rule()
    return Rule(text, test, tuple(parser.parameters))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  #: text, parameter, number, sign, word or end
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

    def __init__(self, text: str, fields: Fields) -> None:
        self.parameters: dict[str, None] = {}
        self._fields = fields
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
        sign = self._next()
        if (sign.kind, sign.value) == ("word", "in"):
            return _any_of(field, self._list())
        compare = _COMPARISONS.get(sign.value) if sign.kind in ("word", "sign") else None
        if compare is not None:
            return compare(field, self._value())
        if sign.value in _ORDERS and sign.kind == "sign":
            return _ordered(field, _ORDERS[sign.value], self._number())
        if sign.value in _TEXT_TESTS and sign.kind == "word":
            return _tested(field, _TEXT_TESTS[sign.value], self._text())
        raise InvalidRule(sign.column, f"{sign} is none of ==, !=, <, <=, >, >=, in, contains, startswith")

    def _field(self) -> str:
        token = self._token
        if not self._fields.holds(token.kind, token.value):
            raise self._unexpected(f"one of {self._fields}, not, true, false or (")
        if token.kind == "parameter":
            self.parameters[token.value[2:-1]] = None
        return self._next().value

    def _list(self) -> list[str | Decimal]:
        self._expect("sign", "[")
        values: list[str | Decimal] = []
        while not self._took("sign", "]"):
            if values:
                self._expect("sign", ",")
            values.append(self._value())
        return values

    def _value(self) -> str | Decimal:
        if self._token.kind == "number":
            return self._number()
        return self._text("a text in quotes, a number, true or false")

    def _text(self, expected: str = "a text in quotes") -> str:
        token = self._token
        if token.kind == "text":
            return _ESCAPE.sub(r"\1", self._next().value[1:-1]).casefold()
        if token.kind == "word" and token.value in _TRUTHS:
            return self._next().value
        raise self._unexpected(expected)

    def _number(self) -> Decimal:
        if self._token.kind != "number":
            raise self._unexpected("a number")
        return Decimal(self._next().value)

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


def _text_of(facts: Facts, field: str) -> str:
    value = facts.get(field, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.casefold()


def _number_of(facts: Facts, field: str) -> Decimal | None:
    value = facts.get(field, "")
    if isinstance(value, bool) or not _NUMBER.fullmatch(value.strip()):
        return None
    return Decimal(value.strip())


def _constant(value: bool) -> _Test:
    return lambda _facts: value


def _equal(field: str, value: str | Decimal) -> _Test:
    if isinstance(value, Decimal):
        return lambda facts: _number_of(facts, field) == value
    return lambda facts: _text_of(facts, field) == value


def _different(field: str, value: str | Decimal) -> _Test:
    equal = _equal(field, value)
    return lambda facts: not equal(facts)


def _any_of(field: str, values: Sequence[str | Decimal]) -> _Test:
    texts = frozenset(value for value in values if isinstance(value, str))
    numbers = frozenset(value for value in values if isinstance(value, Decimal))
    if not numbers:
        return lambda facts: _text_of(facts, field) in texts
    return lambda facts: _text_of(facts, field) in texts or _number_of(facts, field) in numbers


def _ordered(field: str, compare: Callable[[Decimal, Decimal], bool], value: Decimal) -> _Test:
    return lambda facts: (number := _number_of(facts, field)) is not None and compare(number, value)


def _tested(field: str, test: Callable[[str, str], bool], value: str) -> _Test:
    return lambda facts: test(_text_of(facts, field), value)


_COMPARISONS: dict[str, Callable[[str, str | Decimal], _Test]] = {"==": _equal, "!=": _different}
_ORDERS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {"contains": operator.contains, "startswith": str.startswith}
