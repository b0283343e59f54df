"""Backup and restore: one file, made while the datastore is in use, put back when it is not."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.exclusive import ServerLock
from dispatcher.datastore.transactions import Datastore


@pytest.fixture
def datastore_file(new_file: Path) -> Path:
    """None is there yet."""
    return new_file


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def logins(run) -> set[str]:
    listed = run("login", "list").stdout
    return {name for name in ("before", "after") if name in listed}


def add_login(run, name: str) -> None:
    assert run("login", "add", name, "--password-stdin", stdin="a long password\n").exit_code == 0


def test_what_is_restored_is_what_was_there_at_the_backup(run, datastore_file: Path, copy: Path) -> None:
    add_login(run, "before")
    made = run("backup", str(copy))
    assert made.exit_code == 0, made.output
    assert "Not in it: the key" in made.stdout
    assert str(datastore_file.with_suffix(".key")) in made.stdout
    add_login(run, "after")
    done = run("restore", str(copy))
    assert done.exit_code == 0, done.output
    assert logins(run) == {"before"}
    kept = datastore_file.with_name("cli.db.before-restore")
    assert f"kept as {kept}" in done.stdout
    with closing(sqlite3.connect(kept)) as old:
        assert len(old.execute("SELECT name FROM login").fetchall()) == 2


def test_a_backup_is_one_private_file_that_nothing_overwrites(run, copy: Path) -> None:
    add_login(run, "before")
    assert run("backup", str(copy)).exit_code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in copy.parent.iterdir() if file.is_file()] == ["copy.db"]
    again = run("backup", str(copy))
    assert again.exit_code == 4
    assert "is there already" in again.output


def test_a_backup_made_among_writes_is_consistent(run, datastore_file: Path, copy: Path) -> None:
    add_login(run, "before")
    datastore = Datastore(parse_url(f"sqlite:///{datastore_file}"))
    with datastore.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE pair (one INTEGER, two INTEGER)")
        connection.exec_driver_sql("INSERT INTO pair VALUES (0, 0)")
        connection.commit()
    over, written = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        while not over.is_set():
            with datastore.begin() as session:
                for column in ("one", "two"):
                    session.connection().exec_driver_sql(f"UPDATE pair SET {column} = {column} + 1")
            written.release()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.acquire(timeout=10)
        made = run("backup", str(copy))
        # It goes on writing meanwhile and afterwards.
        assert written.acquire(timeout=10)
    finally:
        over.set()
        writer.join()
        datastore.close()
    assert made.exit_code == 0, made.output
    with closing(sqlite3.connect(copy)) as found:
        (one, two), *_ = found.execute("SELECT one, two FROM pair").fetchall()
    assert one == two


def test_a_datastore_that_is_served_is_not_replaced(run, datastore_file: Path, copy: Path) -> None:
    add_login(run, "before")
    run("backup", str(copy))
    lock = ServerLock(datastore_file)
    refused = run("restore", str(copy))
    lock.release()
    assert refused.exit_code == 4
    assert "is served by another dispatcher already" in refused.output
    assert logins(run) == {"before"}


def test_what_an_earlier_restore_has_kept_is_not_overwritten(run, copy: Path) -> None:
    add_login(run, "before")
    run("backup", str(copy))
    assert run("restore", str(copy)).exit_code == 0
    add_login(run, "after")
    refused = run("restore", str(copy))
    assert refused.exit_code == 4
    assert "cli.db.before-restore is there already" in refused.output
    assert logins(run) == {"before", "after"}


@pytest.mark.parametrize("damage", ["text", "empty", "cut", "foreign", "newer"])
def test_what_is_no_whole_backup_changes_nothing(run, datastore_file: Path, copy: Path, damage: str) -> None:
    add_login(run, "before")
    run("backup", str(copy))
    if damage == "text":
        copy.write_text("this is no database\n" * 100)
    elif damage == "empty":
        copy.write_bytes(b"")
    elif damage == "cut":
        copy.write_bytes(copy.read_bytes()[:-30_000])
    elif damage == "foreign":
        copy.unlink()
        with closing(sqlite3.connect(copy)) as other:
            other.execute("CREATE TABLE something (x INTEGER)")
    else:
        with closing(sqlite3.connect(copy)) as newer, newer:
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
    refused = run("restore", str(copy))
    assert refused.exit_code in (2, 4)
    assert refused.stdout == ""
    assert logins(run) == {"before"}
    assert not [file.name for file in datastore_file.parent.iterdir() if "unfinished" in file.name]


def test_a_first_datastore_is_made_from_a_backup(run, datastore_file: Path, copy: Path) -> None:
    add_login(run, "before")
    run("backup", str(copy))
    for file in datastore_file.parent.glob("cli.*"):
        file.unlink()
    done = run("restore", str(copy))
    assert done.exit_code == 0, done.output
    assert "Put the key file back as well" in done.stdout
    assert logins(run) == {"before"}


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_other_databases_have_tools_of_their_own(run, copy: Path, command: str) -> None:
    if command == "restore":
        copy.write_bytes(b"")
    refused = run("--datastore", "postgresql+psycopg://localhost/x", command, str(copy))
    assert refused.exit_code == 4
    assert "use pg_dump and pg_restore" in refused.output
