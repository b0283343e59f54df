"""Fixtures: a real package of Debian in two versions, and a repository that has them, for the real apt-get."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from needed import missing

_CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: Nothing, for a test
"""
_APT = """Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
APT::Sandbox::User "root";
"""


@dataclass
class Repository:
    """A repository in a folder; what is installed from it is gone after the test."""

    folder: Path
    name: str

    @property
    def mark(self) -> Path:
        """A file that version 1.1 writes as packages of Debian do that need a restart."""
        return self.folder / "root" / "run" / "reboot-required"

    def build(self, version: str) -> Path:
        root = self.folder / f"tree-{version}"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "DEBIAN" / "control").write_text(_CONTROL.format(name=self.name, version=version))
        if version == "1.1":
            script = root / "DEBIAN" / "postinst"
            script.write_text(f"#!/bin/sh\nmkdir -p {self.mark.parent}\ntouch {self.mark}\n")
            script.chmod(0o755)
        file = self.folder / f"{self.name}_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, file], check=True, capture_output=True)
        return file

    def describe(self, version: str) -> str:
        file = self.build(version)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        entry = _CONTROL.format(name=self.name, version=version)
        return f"{entry}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n\n"

    def status(self) -> str:
        command = ["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", self.name]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            missing(program)
    if os.geteuid() != 0:
        missing("the right to install packages")
    made = Repository(tmp_path / "repository", f"dispatcher-demo-{os.getpid()}")
    (made.folder / "lists" / "partial").mkdir(parents=True)
    (made.folder / "cache" / "archives" / "partial").mkdir(parents=True)
    (made.folder / "Packages").write_text(made.describe("1.0") + made.describe("1.1"))
    (made.folder / "sources.list").write_text(f"deb [trusted=yes] file:{made.folder} ./\n")
    (made.folder / "apt.conf").write_text(_APT.format(folder=made.folder))
    monkeypatch.setenv("APT_CONFIG", str(made.folder / "apt.conf"))
    yield made
    if made.status():
        subprocess.run(["dpkg", "--purge", made.name], check=True, capture_output=True)
