"""Names: aliases come first, ids count in any spelling, and many are looked up at once."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from ccs_world import APACHE, GROUP, LIBRARY, STANDARD
from statements import statements

from dispatcher.datastore.transactions import Datastore
from dispatcher.services.symantec_ccs import names

MODULE = UUID("00000000-0000-4000-8000-0000000000a2")


@pytest.fixture(autouse=True)
def library(load_library: Callable[[str], None]) -> None:
    load_library(LIBRARY)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (APACHE, MODULE),
        (f" {APACHE.upper()} ", MODULE),
        (str(MODULE), MODULE),
        (STANDARD.upper(), UUID(STANDARD)),
        (f"{{{STANDARD}}}", UUID(STANDARD)),
        (STANDARD.replace("-", ""), UUID(STANDARD)),
        ("", None),
        ("no-guid", None),
        ("0" * 51, None),
    ],
)
def test_what_a_text_names(datastore: Datastore, text: str, key: UUID | None) -> None:
    with datastore.read() as session:
        assert names.find(session, names.STANDARD, text) == key


def test_an_alias_is_of_one_kind(datastore: Datastore) -> None:
    with datastore.read() as session:
        assert names.find(session, names.ASSET, APACHE) == UUID(APACHE)


def test_many_are_looked_up_at_once_in_their_order(datastore: Datastore) -> None:
    texts = [APACHE.upper(), "nothing", GROUP, *(str(uuid4()) for _ in range(997))]
    with datastore.read() as session, statements(datastore) as sent:
        found = names.find_all(session, names.STANDARD, texts)
    assert found[:3] == [MODULE, None, UUID(GROUP)]
    assert [str(one) for one in found[3:]] == texts[3:]
    assert sum(one.startswith("SELECT") for one in sent) == 2


def test_aliases_are_shown_in_lower_case(datastore: Datastore) -> None:
    with datastore.read() as session:
        assert names.aliases_of(session, names.STANDARD, [MODULE, UUID(STANDARD)]) == {MODULE: APACHE}
