"""Types: Spyne types with the occurrence rules of WCF data contracts."""

from __future__ import annotations

from typing import Any

import pytest
import spyne
from echo_service import Colour, Thing

from dispatcher.wire.types import (
    ARRAYS_NAMESPACE,
    DATA_NAMESPACE,
    Bytes,
    DataContract,
    Flag,
    Kind,
    Long,
    MaybeFlag,
    MaybeMoment,
    MaybeNumber,
    Moment,
    Number,
    Text,
    array_of,
    item_of,
    kind_of,
    members_of,
    new,
)


@pytest.mark.parametrize(
    ("spyne_type", "kind", "nillable"),
    [
        (Text, Kind.TEXT, True),
        (Bytes, Kind.BYTES, True),
        (Flag, Kind.FLAG, False),
        (Number, Kind.NUMBER, False),
        (Moment, Kind.MOMENT, False),
        (Long, Kind.LONG, False),
        (MaybeFlag, Kind.FLAG, True),
        (MaybeNumber, Kind.NUMBER, True),
        (MaybeMoment, Kind.MOMENT, True),
        (Colour, Kind.ENUM, False),
        (Thing, Kind.RECORD, True),
        (array_of(Thing), Kind.ARRAY, True),
    ],
)
def test_value_types_cannot_be_nil_and_may_be_absent(spyne_type: Any, kind: Kind, nillable: bool) -> None:
    assert kind_of(spyne_type) is kind
    assert (spyne_type.Attributes.nillable, spyne_type.Attributes.min_occurs) == (nillable, 0)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="no type of the wire kit"):
        kind_of(spyne.Decimal)


def test_lists_are_named_as_wcf_names_them() -> None:
    array = array_of(Thing)
    name, item = item_of(array)

    assert array.get_type_name() == "ArrayOfThing"
    assert (name, item.get_type_name()) == ("Thing", "Thing")


def test_list_of_texts_has_the_name_and_namespace_that_wcf_gives_it() -> None:
    array = array_of(Text)
    assert (array.get_type_name(), array.get_namespace()) == ("ArrayOfstring", ARRAYS_NAMESPACE)
    assert (item_of(array)[0], kind_of(item_of(array)[1])) == ("string", Kind.TEXT)


def test_enumeration_maps_both_ways() -> None:
    assert Colour.members == {"Red": 3, "Green": 5}
    assert Colour.names == {3: "Red", 5: "Green"}
    assert (Colour.get_type_name(), Colour.get_namespace()) == ("Colour", DATA_NAMESPACE)


def test_members_of_bases_come_first() -> None:
    class Base(DataContract):
        Zulu = Text

    class Derived(Base):
        Alpha = Text

    assert list(members_of(Derived)) == ["Zulu", "Alpha"]
    assert Derived.get_namespace() == DATA_NAMESPACE


def test_new_instance_has_every_member_in_declared_order() -> None:
    thing = new(Thing, Name="a", Colour=3)

    assert list(thing.__dict__) == list(members_of(Thing))
    assert (thing.Name, thing.Colour, thing.When) == ("a", 3, None)
