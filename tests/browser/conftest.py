"""A real browser."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from chromium import Tab, a_tab
from lxml import html
from needed import missing

CHROMIUM = shutil.which("chromium")
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


@pytest.fixture
def browse(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Return the document that a page becomes in the browser, which may be given more options."""
    if CHROMIUM is None:
        missing("chromium")

    def browse(url: str, *options: str) -> Any:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        done = subprocess.run(
            [CHROMIUM, *QUIET, *options, profile, "--window-size=1200,900", "--dump-dom", url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return html.document_fromstring(done.stdout)

    yield browse
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


@pytest.fixture
def open_tab(tmp_path: Path) -> Iterator[Callable[[], AbstractContextManager[Tab]]]:
    """Return what opens a tab of the browser, which can be told to click and to type."""
    if CHROMIUM is None:
        missing("chromium")
    profile = tmp_path / "profile"
    yield lambda: a_tab(CHROMIUM, [*QUIET, f"--user-data-dir={profile}", "--window-size=1200,900"])
    shutil.rmtree(profile, ignore_errors=True)
