"""Backup: a copy of a SQLite datastore in one file, made while it is in use, and put back when it is not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL

from dispatcher.core.errors import BadRequest, Conflict
from dispatcher.datastore import schema
from dispatcher.datastore.engines import open_engine
from dispatcher.datastore.exclusive import ServerLock

#: The tools of the other databases, which copy them better than anything else could.
_TOOLS = {"postgresql": "pg_dump and pg_restore", "mysql": "mariadb-dump", "mariadb": "mariadb-dump"}
#: What SQLite keeps beside a file that is in use.
_COMPANIONS = ("-wal", "-shm", "-journal")


class NotSqlite(Conflict):
    """Only SQLite datastores are copied by Dispatcher itself."""

    code = "backup.not_sqlite"

    def __init__(self, backend: str) -> None:
        super().__init__(f"this datastore is not SQLite: use {_TOOLS[backend]} for it", backend=backend)


class NoBackup(BadRequest):
    """A file is no backup of a datastore, or a damaged one."""

    code = "backup.broken"

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file}: {problem}", file=str(file))


class InTheWay(Conflict):
    """A file is there already, and is not overwritten."""

    code = "backup.in_the_way"

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} is there already: remove it, or name another one", file=str(file))


def back_up(url: URL, target: Path) -> int:
    """Write the datastore at *url* to *target*, as it is at one moment; return the size in bytes.

    Nobody waits for it: a server may read and write meanwhile. Readable for this user only; whole or not there.

    :raises NotSqlite: if the datastore is another database.
    :raises InTheWay: if *target* exists.
    :raises NoBackup: if the datastore is damaged or not one at all.
    """
    source = _file_of(url)
    if target.exists():
        raise InTheWay(target)
    with _beside(target) as unfinished:
        with closing(_open_to_read(source)) as reader, closing(sqlite3.connect(unfinished)) as writer:
            reader.backup(writer)
            # One file, whatever the original was.
            writer.execute("PRAGMA journal_mode=DELETE")
        _verify(unfinished, shown=source)
        _sync(unfinished)
        unfinished.rename(target)
    return target.stat().st_size


def restore(url: URL, source: Path) -> Path | None:
    """Put *source*, made by ``back_up``, in the place of the datastore at *url*.

    What was there is kept beside it, with ``.before-restore`` added to its name, which is returned; None if there was
    nothing.

    :raises NotSqlite: if the datastore is another database.
    :raises NoBackup: if *source* is not a whole datastore.
    :raises SchemaTooNew: if it was made by a newer Dispatcher.
    :raises ServedElsewhere: if a server has the datastore open.
    :raises InTheWay: if what an earlier restore has kept is still there.
    """
    target = _file_of(url)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = target.with_name(f"{target.name}.before-restore")
    with _served_by_nobody(target), _beside(target) as unfinished:
        _verify(source, shown=source)
        shutil.copyfile(source, unfinished)
        _check_schema(unfinished)
        _sync(unfinished)
        if not target.exists():
            unfinished.rename(target)
            return None
        if kept.exists():
            raise InTheWay(kept)
        with closing(sqlite3.connect(target)) as old:
            # So that nothing of it stays in the files beside it.
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("PRAGMA journal_mode=DELETE")
        target.rename(kept)
        unfinished.rename(target)
    return kept


def _file_of(url: URL) -> Path:
    if url.get_backend_name() != "sqlite":
        raise NotSqlite(url.get_backend_name())
    return Path(url.database or "").absolute()


@contextmanager
def _served_by_nobody(file: Path) -> Iterator[None]:
    lock = ServerLock(file)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give the name of an empty file beside *target*, private to this user; what is left of it at the end goes."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield unfinished
    finally:
        for suffix in ("", *_COMPANIONS):
            Path(f"{unfinished}{suffix}").unlink(missing_ok=True)


def _open_to_read(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise NoBackup(file, "there is no such file")
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _verify(file: Path, *, shown: Path) -> None:
    """Check that *file* is a whole datastore.

    :raises NoBackup: if not; it names *shown*.
    """
    with closing(_open_to_read(file)) as connection:
        try:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if problems != ["ok"]:
                raise NoBackup(shown, f"is damaged: {'; '.join(problems)}")
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            raise NoBackup(shown, f"is no whole datastore of Dispatcher: {error}") from None


def _check_schema(file: Path) -> None:
    engine = open_engine(URL.create("sqlite", database=str(file)))
    try:
        schema.revisions(engine)
    finally:
        engine.dispose()


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
