"""A real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from chromium import Tab, a_tab
from lxml import html
from needed import missing
from real_server import Server, serving

CHROMIUM = shutil.which("chromium")
#: The page that a browser begins with.
NOWHERE = "about:blank"
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that no test changes."""
    with serving(tmp_path_factory.mktemp("pages"), "--no-local-agent", library="modules: []", logins={}) as running:
        yield running


@pytest.fixture(scope="session")
def shared_tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab for those tests that only look at pages: a browser's start costs more than all that they ask for."""
    if CHROMIUM is None:
        missing("chromium")
    profile = tmp_path_factory.mktemp("browser") / "profile"
    with a_tab(CHROMIUM, [*QUIET, f"--user-data-dir={profile}", "--window-size=1200,900"]) as tab:
        yield tab
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def browse(shared_tab: Tab) -> Iterator[Callable[..., Any]]:
    """Return the document that a page becomes in the browser, once the expression *drawn* is true of it."""

    def browse(url: str, drawn: str = "true") -> Any:
        shared_tab.open(NOWHERE)
        shared_tab.wait_for(f"location.href === '{NOWHERE}'")
        shared_tab.open(url)
        shared_tab.wait_for(f"location.href !== '{NOWHERE}' && document.readyState === 'complete' && ({drawn})")
        return html.document_fromstring(shared_tab.run("document.documentElement.outerHTML"))

    yield browse
    shared_tab.open(NOWHERE)  # what nobody looks at is drawn no more


@pytest.fixture
def open_tab(tmp_path: Path) -> Iterator[Callable[[], AbstractContextManager[Tab]]]:
    """Return what opens a tab of the browser, which can be told to click and to type."""
    if CHROMIUM is None:
        missing("chromium")
    profile = tmp_path / "profile"
    yield lambda: a_tab(CHROMIUM, [*QUIET, f"--user-data-dir={profile}", "--window-size=1200,900"])
    shutil.rmtree(profile, ignore_errors=True)
