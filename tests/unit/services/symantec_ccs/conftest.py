"""The services of the dialect over a library and an agent."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from ccs_world import LIBRARY

from dispatcher.services.hall import Hall
from dispatcher.services.symantec_ccs.suite import SymantecCcs, build_symantec_ccs


@pytest.fixture
def ccs(hall: Hall) -> SymantecCcs:
    return build_symantec_ccs(hall)


@pytest.fixture
def agent(load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> UUID:
    load_library(LIBRARY)
    return enrol("db-01")
