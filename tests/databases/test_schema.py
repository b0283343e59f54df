"""The schema: made by migrations alone, and the same as the models say."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import text

from dispatcher.datastore import schema
from dispatcher.datastore.engines import open_engine, parse_url
from dispatcher.datastore.transactions import Datastore


def test_migrations_make_what_the_models_say(datastore: Datastore) -> None:
    assert schema.differences(datastore.engine) == []


def test_upgrading_again_changes_nothing(datastore: Datastore) -> None:
    before, after = schema.upgrade(datastore.engine)
    assert before == after


def test_a_schema_from_the_future_is_refused(datastore: Datastore) -> None:
    with datastore.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaTooNew, match="9999"):
        schema.upgrade(datastore.engine)


def test_starters_at_the_same_time_make_one_schema(database_url: str) -> None:
    starters = 3
    ready = Barrier(starters)

    def start(_: int) -> tuple[str | None, str]:
        engine = open_engine(parse_url(database_url))
        ready.wait(20)
        try:
            return schema.upgrade(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(starters) as pool:
        before, heads = zip(*pool.map(start, range(starters)), strict=True)
    assert sorted(before, key=str) == [heads[0], heads[0], None]
