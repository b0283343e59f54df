"""Bundles: what an agent takes along to other computers, and where that runs."""

from __future__ import annotations

import ast
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

import dispatcher
from dispatcher.tasks.agent_setup import bundle
from dispatcher.tasks.work import TaskFailed

ROOT = Path(dispatcher.__file__).parent
#: What only some task types need, and the server's side of the protocol.
EXTRAS = {"ansible_runner", "dns", "ldap3", "paramiko", "pyasn1", "pypsrp", "pysnmp", "smbprotocol"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bundle.Bundle:
    return bundle.make(tmp_path_factory.mktemp("bundle"))


def test_every_library_that_the_agent_imports_goes_along() -> None:
    files = [file for part in bundle._PACKAGES[2:] for file in (ROOT / part).rglob("*.py")]
    files += [*(ROOT / "agents").glob("*.py"), *(ROOT / name for name in bundle._MODULES if name.endswith(".py"))]
    names = {name.partition(".")[0] for file in files for name in _imports(file)}
    wanted = names - set(sys.stdlib_module_names) - EXTRAS - {"dispatcher", "spnego"}
    packages = metadata.packages_distributions()
    known = {bundle._normal(one) for one in bundle.NEEDED}
    assert {name for name in wanted if not known & {bundle._normal(one) for one in packages.get(name, ())}} == set()


def test_the_whole_holds_the_program_its_libraries_and_what_these_need(made: bundle.Bundle) -> None:
    with tarfile.open(made.whole) as archive:
        names = archive.getnames()
    parts = {name.partition("/")[0] for name in names}
    assert {"dispatcher", "click", "pydantic", "pydantic_core", "annotated_types", "certifi", "dateutil"} <= parts
    assert "dispatcher/tasks/agent_setup/on_windows/install.ps1" in names
    assert not {name for name in names if ".pyc" in name or ".." in name or name.startswith("/")}
    # Nothing of the server.
    assert not {"sqlalchemy", "spyne", "lxml"} & parts
    assert not [name for name in names if name.startswith(("dispatcher/services", "dispatcher/datastore"))]
    with tarfile.open(made.own) as archive:
        assert {name.partition("/")[0] for name in archive.getnames()} == {"dispatcher"}


def test_it_fits_a_python_that_was_built_alike(made: bundle.Bundle) -> None:
    assert made.fits(made.build, "2.99")
    assert not made.fits(".cpython-310-x86_64-linux-gnu.so", "2.99")
    assert not made.fits("", "2.99")
    if made.glibc != (0, 0):
        assert not made.fits(made.build, "2.4")
        assert not made.fits(made.build, "")


def test_a_library_that_is_missing_is_named() -> None:
    with pytest.raises(TaskFailed, match=r"^no-such-library, which agents need, is not installed"):
        bundle.distributions(["no-such-library"])


@pytest.mark.parametrize(
    ("tag", "glibc"),
    [
        ("manylinux_2_28_x86_64", (2, 28)),
        ("manylinux2014_x86_64", (2, 17)),
        ("manylinux1_x86_64", (2, 5)),
        ("any", None),
        ("win_amd64", None),
    ],
)
def test_tags_of_wheels_tell_the_oldest_glibc(tag: str, glibc: tuple[int, int] | None) -> None:
    assert bundle._glibc_of(tag) == glibc


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    tree = ast.parse(file.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
