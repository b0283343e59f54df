"""Lasting: nothing is remembered of what a transaction sees while it changes that."""

from __future__ import annotations

from dispatcher.datastore import revisions
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.lasting import Lasting


def test_what_a_change_sees_before_it_is_done_is_not_kept(datastore: Datastore) -> None:
    kept = Lasting[dict[str, int]](dict, revisions.LIBRARY)
    with datastore.begin() as session:
        revisions.bump(session, revisions.LIBRARY)
        kept.of(session)["seen"] = 1
    with datastore.read() as session:
        assert not kept.of(session)


def test_what_is_kept_lasts_until_one_of_its_parts_changes(datastore: Datastore) -> None:
    kept = Lasting[dict[str, int]](dict, revisions.LIBRARY)
    with datastore.read() as session:
        kept.of(session)["seen"] = 1
    with datastore.begin() as session:
        revisions.bump(session, revisions.TOPOLOGY)
    with datastore.read() as session:
        assert kept.of(session)
    with datastore.begin() as session:
        revisions.bump(session, revisions.LIBRARY)
    with datastore.read() as session:
        assert not kept.of(session)
