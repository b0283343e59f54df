"""Notice texts: names of packages stand in them, as many as fit."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.services.ivanti_endpoint_security.notice_texts import PACKAGE_NAME, fill, shortened
from dispatcher.tasks.notices.order import MAX_MESSAGE


def test_names_stand_where_the_text_says() -> None:
    assert fill("Now: {Package Name}. {Package Name}!", "a, b") == "Now: a, b. a, b!"
    assert fill("Now", "a") == "Now"


def test_names_are_cut_between_them_where_that_is_possible() -> None:
    assert shortened("one, two, three", 15) == "one, two, three"
    assert shortened("one, two, three", 14) == "one, two, …"
    assert shortened("one, two, three", 10) == "one, …"
    assert shortened("one, two, three", 3) == "on…"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 714), st.integers(0, 500), st.integers(1, 255))
def test_a_text_that_is_allowed_stays_so(places: int, names: int, length: int) -> None:
    text = (PACKAGE_NAME * places).ljust(MAX_MESSAGE, ".")
    filled = fill(text, ", ".join(["x" * length] * names))
    assert len(filled) <= MAX_MESSAGE
    assert PACKAGE_NAME not in filled
