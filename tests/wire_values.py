"""Values of declared types, made by hypothesis, and a form of them that can be compared."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timezone
from functools import cache
from typing import Any

from hypothesis import strategies as st

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.wire.types import DataContract, DataContractEnum, Kind, array_of, item_of, kind_of, members_of, new

_CLASSES = [one for _, one in inspect.getmembers(contract, inspect.isclass)]
MODELS = [one for one in _CLASSES if issubclass(one, DataContract) and one is not DataContract]
ENUMERATIONS = [one for one in _CLASSES if issubclass(one, DataContractEnum) and one is not DataContractEnum]
#: Every type that the Ivanti contract declares, and the list of each.
DECLARED = [*MODELS, *ENUMERATIONS, *[array_of(one) for one in MODELS]]

#: What XML 1.0 can carry.
XML_CHARACTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | (
    st.sampled_from("\t\n\r<>&\"'%]/\\\N{PILE OF POO}")
)
#: What JSON can carry.
#: All but NUL, which no text may hold.
JSON_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
#: .NET's unset date lies in year 1 and is read as none.
MOMENTS = st.datetimes(datetime(2, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
WHOLE_MILLISECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(minutes * _MINUTE))

_MINUTE = datetime(2000, 1, 1, 0, 1, tzinfo=UTC) - datetime(2000, 1, 1, tzinfo=UTC)


@cache  # a strategy looks itself over when it is first drawn from, and that takes longer than drawing
def values(
    spyne_type: Any, characters: st.SearchStrategy[str], moments: st.SearchStrategy[Any], texts: Any = None
) -> Any:
    """Return the strategy of values of *spyne_type*; any member may be missing. *texts*: what texts are drawn from."""
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        members = {name: _member(one, characters, moments, texts) for name, one in members_of(spyne_type).items()}
        return st.fixed_dictionaries(members).map(lambda state: new(spyne_type, **state))
    if kind is Kind.ARRAY:
        return st.lists(values(item_of(spyne_type)[1], characters, moments, texts), max_size=2)
    if kind is Kind.ENUM:
        return st.sampled_from(sorted(spyne_type.names))
    return {
        Kind.TEXT: st.text(characters, max_size=8) if texts is None else texts,
        Kind.FLAG: st.booleans(),
        Kind.NUMBER: st.integers(-(2**31), 2**31 - 1),
        Kind.LONG: st.integers(-(2**63), 2**63 - 1),
        Kind.MOMENT: moments,
        Kind.BYTES: st.binary(min_size=1, max_size=20),
    }[kind]


def _member(spyne_type: Any, characters: Any, moments: Any, texts: Any) -> Any:
    return st.none() | values(spyne_type, characters, moments, texts)


def plain(value: Any) -> Any:
    """Return *value* as dicts, lists and scalars."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, DataContract):
        return {name: plain(getattr(value, name)) for name in members_of(type(value))}
    return value
