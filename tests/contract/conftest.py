"""The front doors of all dialects, in process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from uuid import UUID

import pytest

from dispatcher import bootstrap
from dispatcher.services.hall import Hall
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.quotas import Quotas


@pytest.fixture
def web(hall: Hall, new_id: Callable[[], UUID], monkeypatch: pytest.MonkeyPatch) -> Iterator[WebApp]:
    """All dialects, as a server has them."""
    logged: list[object] = []
    monkeypatch.setattr(bootstrap, "log", SimpleNamespace(exception=lambda *what, **_: logged.append(what)))
    limits = Limits(any_host=True)
    bindings = bootstrap.build_bindings(hall, Quotas(), limits)
    app = WebApp(bindings, hall.security, hall.access_tokens, Health(hall), new_id, limits)
    yield app
    app.close()
    assert logged == []  # each would be a defect
