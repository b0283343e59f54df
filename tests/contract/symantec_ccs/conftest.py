"""A dispatcher with the front door of Symantec CCS, a standard, an asset and a group of assets."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from ccs_world import LIBRARY, Client

from dispatcher.web.app import WebApp


@pytest.fixture
def agent(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    load_library(LIBRARY)
    return enrol("db-01", address="10.211.64.7")


@pytest.fixture
def ccs(web: WebApp, agent: UUID) -> Client:
    return Client(web, "CORP\\ann", "pw+1")
