"""Imports: every package is a layer of the contracts that `make lint` checks, and no two modules need each other."""

from __future__ import annotations

import configparser
import graphlib
from pathlib import Path

import grimp
from sources import ROOT


def test_every_package_is_a_layer() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    layers = config["importlinter:contract:layers"]["layers"].replace("|", " ").split()

    packages = {f"dispatcher.{path.parent.name}" for path in Path(ROOT / "dispatcher").glob("*/__init__.py")}

    assert packages <= {*layers}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("dispatcher", exclude_type_checking_imports=True, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    order = [*graphlib.TopologicalSorter(imports).static_order()]

    assert len(order) == len(graph.modules)
