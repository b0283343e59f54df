"""The ResourceService over two resources, one of which a module needs."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dispatcher.bindings.ivanti_automation.resource_service import ResourceDoor, build
from dispatcher.services.hall import Hall

LIBRARY = """
resources:
  - {name: setup.exe, id: 5cf59e5a-343c-4d85-a83c-8b18e47310aa, sha256: %s}
  - {name: spare.exe, id: 5cf59e5a-343c-4d85-a83c-8b18e47310ab, sha256: %s}
modules:
  - {name: Setup, tasks: [{type: download, name: get, settings: {resource: setup.exe, target: setup.exe}}]}
"""


@pytest.fixture
def door(hall: Hall, load_library: Any, logged: list[dict[str, object]]) -> ResourceDoor:
    digest = hall.resources.store(io.BytesIO(b"the content"))
    load_library(LIBRARY % (digest, digest))
    return build(hall, log=lambda event, **details: logged.append({"event": event, **details}))
