"""Spyne's compatibility: lets Spyne 2.14 be imported on Python 3.12 and later.

Import this module before anything of spyne. Python 3.13 needs the package ``legacy-cgi`` as well.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MOVES = "spyne.util.six.moves"


class SixMoves(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the virtual modules of the six that Spyne carries, which only has ``find_module`` (gone in 3.12)."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return a spec for a module below ``spyne.util.six.moves``, None for all others."""
        if not fullname.startswith(_MOVES) or _moved(fullname) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that six keeps under the name of *spec*."""
        moved = _moved(spec.name)
        resolved: ModuleType = moved._resolve() if hasattr(moved, "_resolve") else moved
        return resolved

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is complete."""


def _moved(name: str) -> Any:
    for finder in sys.meta_path:
        known: dict[str, Any] = getattr(finder, "known_modules", {})
        if type(finder).__name__ == "_SixMetaPathImporter" and name in known:
            return known[name]
    return None


def install() -> None:
    """Put the finder in front of all others, once per process."""
    if not any(isinstance(finder, SixMoves) for finder in sys.meta_path):
        sys.meta_path.insert(0, SixMoves())


install()
