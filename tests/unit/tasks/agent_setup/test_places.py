"""Places of agents: what was made there by a setup is put right, and what is somebody else's stays as it is."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from dispatcher.agents import identity
from dispatcher.core.computers import proof
from dispatcher.services.enrolment import _hash
from dispatcher.tasks.agent_setup.on_linux import places
from dispatcher.tasks.agent_setup.on_linux.installation import leave
from dispatcher.tasks.agent_setup.on_linux.places import MARKER, Known, Place

ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "agent")


def fill(directory: Path, *, is_ours: bool = True) -> None:
    (directory / "program").mkdir(parents=True)
    (directory / "program" / "file").write_text(directory.name)
    if is_ours:
        places.note(directory, Known(ID))


def files(place: Place) -> set[str]:
    return {one.parent.parent.name for one in place.directory.parent.glob("*/program/file")}


@pytest.mark.parametrize("there", [None, False, True])
def test_what_is_somebody_elses_beside_it_is_in_the_way_and_stays(place: Place, there: bool | None) -> None:
    if there is not None:
        fill(place.directory, is_ours=there)
    for beside in (place.new, place.old):
        fill(beside, is_ours=False)
    before = files(place)
    leave(place.new)
    place.recover()
    place.unmake()
    assert files(place) == before
    assert place.foreign() == (place.directory if there is False else place.new)
    assert (place.directory.exists(), place.old.exists()) == (there is not None, True)


def test_a_link_is_somebody_elses_and_nothing_goes_where_it_leads(place: Place, tmp_path: Path) -> None:
    far = tmp_path / "far"
    fill(far)
    for one in (place.directory, place.new, place.old):
        one.symlink_to(far)
        assert place.foreign() == one
        place.recover()
        places.remove(one)
        assert (far / "program" / "file").exists()
        assert one.is_symlink()
        one.unlink()
    place.new.symlink_to(tmp_path / "nowhere")
    assert place.foreign() == place.new


@pytest.mark.parametrize("has_directory", [True, False])
def test_what_was_cut_off_is_put_right(place: Place, *, has_directory: bool) -> None:
    for one in (place.new, place.old, *([place.directory] if has_directory else [])):
        fill(one)
    assert place.foreign() is None
    place.recover()
    assert files(place) == {"agent"}
    assert (place.directory / "program" / "file").read_text() == ("agent" if has_directory else "agent.old")
    assert (place.new.exists(), place.old.exists()) == (False, False)


def test_an_old_agent_stays_while_something_else_is_at_its_place(place: Place) -> None:
    fill(place.old)
    fill(place.directory, is_ours=False)
    place.recover()
    assert files(place) == {"agent", "agent.old"}


def test_a_directory_shows_that_its_agent_is_there_until_it_is_gone(place: Place) -> None:
    fill(place.directory)
    assert place.known() == Known(ID, True, "")
    home = place.directory / "home"
    home.mkdir()
    identity.save(home, identity.StoredIdentity(agent_id=UUID(ID), secret="a-secret", name="pc", dispatchers=[]))
    shown = proof(_hash("a-secret"))
    assert place.known() == Known(ID, True, shown)
    places.note(place.directory, place.known(), is_going=True)
    (home / identity.FILE).unlink()
    assert place.known() == Known(ID, False, shown)  # a removal that was cut off can be told of by the next one
    assert "a-secret" not in (place.directory / MARKER).read_text()
