"""Directories: where this platform wants programs to keep their data."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def data_directory(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Return where the platform wants a program's data; the folder may not exist yet."""
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Dispatcher"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Dispatcher"
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dispatcher"
