"""The remarks of conductors and of all that they call are read at once, for all runs that begin."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from runbook_world import a_book, a_library, a_step
from statements import statements

from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.run_remarks import details_of

Load = Callable[[str], None]


def described(text: str, book: str) -> str:
    return book.replace("    id:", f"    description: {text}\n    id:")


def conductor(number: int, *called: int) -> str:
    steps = [a_step("own"), *(a_step(f"s{one}", what=f"runbook: B{one}") for one in called)]
    return described(f"text {number}", a_book(*steps, name=f"B{number}", key=UUID(int=number)))


def remarks(*numbers: int) -> dict[str, dict[str, str]]:
    return {"remarks": {str(UUID(int=one)): f"text {one}" for one in numbers}}


def test_a_run_keeps_those_of_all_that_it_calls(datastore: Datastore, load_library: Load) -> None:
    silent = a_book(a_step("own"), name="B9", key=UUID(int=9))
    load_library(
        a_library(conductor(1), silent, conductor(2, 1, 9), conductor(3, 2, 1), conductor(4, 9), conductor(5, 4, 4))
    )
    with datastore.read() as session:
        found = details_of(session, [UUID(int=one) for one in (3, 5, 9, 77)])
    assert found == {
        UUID(int=3): remarks(1, 2, 3),
        UUID(int=5): remarks(4, 5),
        UUID(int=9): {},
        UUID(int=77): {},
    }


@pytest.mark.parametrize("many", [1, 12])
def test_more_of_them_take_no_more_statements(datastore: Datastore, load_library: Load, many: int) -> None:
    inner = [conductor(one) for one in range(1, many + 1)]
    outer = [conductor(100 + one, *range(1, many + 1)) for one in range(many)]
    load_library(a_library(*inner, *outer))
    with datastore.read() as session, statements(datastore) as sent:
        details_of(session, [UUID(int=100 + one) for one in range(many)])
    assert len([one for one in sent if one.startswith("SELECT")]) == 3  # two levels of calls, and the remarks
