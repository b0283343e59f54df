"""Fixtures of the OpsRamp contract tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opsramp_world import LIBRARY, Client, a_client

from dispatcher.services.hall import Hall


@pytest.fixture
def client(hall: Hall, load_library: Callable[[str], None]) -> Client:
    load_library(LIBRARY)
    return a_client(hall)
