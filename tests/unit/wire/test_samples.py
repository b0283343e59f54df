from datetime import UTC, datetime

from dispatcher.wire.samples import Samples
from dispatcher.wire.types import Bytes, DataContract, DataContractEnum, Flag, Moment, Number, Text, array_of

Colour = DataContractEnum.of("Colour", {"Red": 3, "Green": 5})


class Leaf(DataContract):
    Colour = Colour
    Count = Number
    Data = Bytes
    Name = Text
    On = Flag
    When = Moment


class Tree(DataContract):
    ID = Text
    Leaves = array_of(Leaf)
    Name = Text


class Node(DataContract):
    Name = Text


Node._type_info["Next"] = Node


def test_unknown_members_show_what_wcf_shows() -> None:
    leaf = Samples({}).of(Leaf)

    assert (leaf.Colour, leaf.Count, leaf.Data, leaf.Name, leaf.On) == (
        3,
        2147483647,
        b"String content",
        "String content",
        True,
    )
    assert leaf.When == datetime(1999, 5, 31, 11, 20, tzinfo=UTC)


def test_known_members_win_and_those_of_a_type_win_over_all() -> None:
    tree = Samples({"Name": "any", "Leaf.Name": "leaf", "Leaf.Count": None}).of(Tree)

    assert tree.Name == "any"
    assert [(leaf.Name, leaf.Count) for leaf in tree.Leaves] == [("leaf", None)]


def test_list_has_one_item() -> None:
    assert [leaf.Count for leaf in Samples({}).of(array_of(Leaf))] == [2147483647]


def test_type_inside_itself_ends() -> None:
    assert Samples({}).of(Node).Next is None
