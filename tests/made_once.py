"""What many tests begin with, such as an imported library, is made once in each process; others get a copy of it.

Only where a copy is the same as what would be made: in an SQLite datastore that nobody has used yet, at the same time,
with the same ids still to come. All of them are sealed with one key, that of the fixture ``secrets``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from dispatcher.core.ports import Ports
from dispatcher.datastore import schema
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore


@dataclass(frozen=True)
class _Made:
    ids: list[UUID]  #: that were taken meanwhile
    file: bytes


#: How many are kept, those that were used last: each takes a megabyte.
_MOST = 50
#: By what it is made from: the file, the time, the folder that files are looked for in, and its name.
_made: dict[tuple[bytes, datetime, Path, str], _Made] = {}


@cache
def an_empty_database() -> bytes:
    """Return the file of a freshly migrated SQLite datastore: to copy it is quicker than to migrate."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        datastore = Datastore(parse_url(f"sqlite:///{path}"))
        schema.upgrade(datastore.engine)
        datastore.close()
        return path.read_bytes()


def made_once(datastore: Datastore, ports: Ports, name: str, make: Callable[[Ports], object]) -> None:
    """Let *datastore* be as *make* makes it, which does the same whenever it is called *name*."""
    if not _is_untouched(datastore):
        make(ports)
        return
    path = Path(datastore.url.database or "")
    key = sha256(path.read_bytes()).digest(), ports.now(), Path.cwd(), name
    made, taken = _made.pop(key, None), list[UUID]()
    coming = [ports.new_id() for _ in made.ids] if made is not None else []
    if made is not None and coming == made.ids:
        path.write_bytes(made.file)
        _made[key] = made
        return

    def new_id() -> UUID:
        taken.append(coming.pop(0) if coming else ports.new_id())
        return taken[-1]

    make(replace(ports, new_id=new_id))
    with datastore.engine.connect() as connection:
        _made[key] = _Made(taken, connection.connection.driver_connection.serialize())
    if len(_made) > _MOST:
        del _made[next(iter(_made))]


def _is_untouched(datastore: Datastore) -> bool:
    pool = datastore.engine.pool
    return datastore.traits.single_writer and pool.checkedin() + pool.checkedout() == 0
