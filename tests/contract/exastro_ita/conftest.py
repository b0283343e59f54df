"""A dispatcher with the front door of Exastro IT Automation, a workspace with two hosts, and a client of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from exastro_client import AddLogin, Ita
from exastro_manual import BASE, EXISTING, a_row, change
from exastro_server import LIBRARY, Site, a_site
from exastro_world import a_workspace

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.logins import Logins
from dispatcher.services.roles import Roles
from dispatcher.web.app import WebApp


@pytest.fixture(scope="session")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A real server, for those tests that need one; each uses a workspace that no other does."""
    with a_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def workspace(datastore: Datastore) -> Workspace:
    return a_workspace(datastore)


@pytest.fixture
def web(workspace: Workspace, web: WebApp) -> WebApp:
    return web


@pytest.fixture
def ita(web: WebApp) -> Ita:
    """A client of an environment without logins."""
    return Ita(web)


@pytest.fixture
def add(web: WebApp, datastore: Datastore, ports: Ports, roles: Roles) -> AddLogin:
    """Add a login, English unless said otherwise, with rights on nodes; return a client that logs in as it."""
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("root", "root", SYSTEM, language="en")  # the first one, which has all rights

    def work(name: str, /, *granted: tuple[Right, str], language: str = "en", **more: Any) -> Ita:
        if granted:
            roles.add(f"role of {name}", SYSTEM)
        for right, node in granted:
            roles.grant(f"role of {name}", right, node, SYSTEM)
        held = [f"role of {name}"] if granted else more.pop("roles", ["Full Access"])
        logins.add(name, "pass word", SYSTEM, roles=held, language=language, **more)
        return Ita(web, name, "pass word")

    return work


@pytest.fixture
def site(web: WebApp, load_library: Callable[[str], None]) -> Ita:
    """A client of the workspace of the manual, with its two hosts, its sheets and its conductors."""
    load_library(LIBRARY)
    return Ita(web, base=BASE)


@pytest.fixture
def manual(site: Ita) -> Ita:
    """The same with the operation of the manual, and a record for it."""
    parameter = {"operation_name": "sample_operation", "scheduled_date_for_execution": "2024/01/01 00:00"}
    change(site, "operation_list", parameter=parameter)
    change(site, "sample_menu_001", parameter=a_row("sample_host2", operation_name_select=EXISTING))
    return site


@pytest.fixture
def clients(site: Ita, web: WebApp, datastore: Datastore, ports: Ports) -> dict[str, Ita]:
    """Clients with all rights by their languages."""
    logins = Logins(datastore, ports, cheap_passwords())
    for language in ("ja", "en"):
        logins.add(language, "pw", SYSTEM, roles=["Full Access"], language=language)
    return {language: Ita(web, language, "pw", base=BASE) for language in ("ja", "en")}
