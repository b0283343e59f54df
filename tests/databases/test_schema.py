"""The schema: made by migrations alone, and the same as the models say."""

import pytest
from sqlalchemy import text

from dispatcher.datastore import schema
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
