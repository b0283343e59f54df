"""The dispatchers over a datastore are listed with what they last said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from dispatcher.datastore.dispatchers import DISPATCHERS
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


@pytest.fixture
def dispatchers(run, datastore_file: Path) -> None:
    """One that has died, one that drains and one that is well: their clocks are ahead, so that no test is too slow."""
    run("status")
    datastore = Datastore(parse_url(f"sqlite:///{datastore_file}"))
    rows = [("dead", NOW - HOUR, False), ("leaving", NOW + HOUR, True), ("well", NOW + HOUR, False)]
    with datastore.begin() as session:
        for number, (host, heard, is_draining) in enumerate(rows):
            row = {"id": UUID(int=number), "name": "main", "host": host, "pid": 40 + number, "version": "1.2.3"}
            moments = {"started_at": NOW - 2 * HOUR, "heartbeat_at": heard}
            session.execute(insert(DISPATCHERS), {**row, **moments, "is_draining": is_draining})
    datastore.close()


@pytest.mark.usefixtures("dispatchers")
def test_dispatchers_are_listed_with_their_state(run) -> None:
    heads, *lines = [line.split() for line in run("status").stdout.splitlines()]
    assert heads == ["NAME", "HOST", "PID", "VERSION", "STATE", "STARTED", "HEARTBEAT"]
    assert [line[:5] for line in lines] == [
        ["main", "dead", "40", "1.2.3", "silent"],
        ["main", "leaving", "41", "1.2.3", "draining"],
        ["main", "well", "42", "1.2.3", "alive"],
    ]
    assert lines[0][7:9] == ["1", "h"]
    assert lines[2][7:] == ["0", "s", "ago"]


@pytest.mark.usefixtures("dispatchers")
def test_json_has_the_moments(run) -> None:
    [one, *_] = json.loads(run("status", "--json").stdout)
    assert one == {
        "name": "main",
        "host": "dead",
        "pid": 40,
        "version": "1.2.3",
        "state": "silent",
        "started": (NOW - 2 * HOUR).isoformat(),
        "heartbeat": (NOW - HOUR).isoformat(),
    }


def test_without_any_there_is_nothing_to_list(run) -> None:
    assert run("status", "--json").stdout == "[]\n"
