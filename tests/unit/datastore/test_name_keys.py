"""The migration that filled the keys of names makes them as the services do that look for them."""

from __future__ import annotations

from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.spelling import name_key

migration = import_module("dispatcher.datastore.migrations.versions.0008_name_keys")


@pytest.mark.parametrize("name", ["", " PC1 ", "Straße", "İstanbul", "Zoe\u0308", "Σίσυφος", "ΐ" * 250, "ﬁ", "\u0345"])
def test_odd_names(name: str) -> None:
    assert migration.name_key(name) == name_key(name)


@given(st.text())
def test_any_name(name: str) -> None:
    assert migration.name_key(name) == name_key(name)
