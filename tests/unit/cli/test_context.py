"""The datastore is made when there is none, and left alone when it is not this version's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dispatcher.cli.context import Context
from dispatcher.config import ConfigErrors


@pytest.fixture
def datastore_file(new_file: Path) -> Path:
    """None is there yet."""
    return new_file


def set_schema(file: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    engine.dispose()


def test_first_command_makes_the_datastore_and_its_key(run, datastore_file: Path) -> None:
    result = run("login", "list")
    assert result.exit_code == 0, result.output
    assert datastore_file.exists()
    assert datastore_file.with_suffix(".key").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_new_data_folder_is_its_owners(run, datastore_file: Path) -> None:
    run("login", "list")
    assert datastore_file.parent.stat().st_mode & 0o077 == 0


def test_key_stays_the_same(run, datastore_file: Path) -> None:
    run("login", "list")
    key = datastore_file.with_suffix(".key").read_bytes()
    run("login", "list")
    assert datastore_file.with_suffix(".key").read_bytes() == key


@pytest.mark.parametrize("arguments", [["login", "list"], ["setting", "list"], ["migrate"]])
def test_newer_schema_is_refused(run, datastore_file: Path, arguments: list[str]) -> None:
    run("migrate")
    set_schema(datastore_file, "9999")
    result = run(*arguments)
    assert result.exit_code == 4
    assert "9999" in result.stderr


def test_migrate_tells_what_it_did(run) -> None:
    first, second = run("migrate"), run("migrate")
    assert first.stdout.startswith("Created schema 0")
    assert second.stdout.startswith("The schema is already 0")
    assert (first.exit_code, second.exit_code) == (0, 0)


def test_options_that_were_not_given_do_not_count(tmp_path: Path) -> None:
    context = Context(f"sqlite:///{tmp_path / 'a.db'}")
    config = context.configure({"web": {"listen": "127.0.0.1:1", "tls_cert": None}, "local_agent": {"enabled": None}})
    assert str(config.web.listen) == "127.0.0.1:1"
    assert config.local_agent.enabled
    assert config.datastore_url.database == str(tmp_path / "a.db")


def test_wrong_option_is_named_as_one() -> None:
    with pytest.raises(ConfigErrors, match=r"command line: web\.listen"):
        Context().configure({"web": {"listen": "nowhere"}})
