"""Permissions: the nearest grant of a role decides, and roles add up."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import ANONYMOUS, NOBODY, SYSTEM, Caller, Node, Place, Right, RoleRights, Thing

DENY, READ, MODIFY = Right.DENY, Right.READ, Right.MODIFY
MODULES, AGENTS, TEAMS = Node.MODULES, Node.AGENTS, Node.TEAMS
ONE, TWO, RING = UUID(int=1), UUID(int=2), UUID(int=3)
FILES = Thing(MODULES, ONE, "Demo/Files")
ROOT = Thing(MODULES, TWO)
TEAM = Thing(TEAMS, RING, "Rings")
MEMBER = Thing(AGENTS, ONE, team=TEAM)

THINGS = st.sampled_from([FILES, ROOT, Thing(MODULES, folder="Demo"), TEAM, MEMBER, Thing(AGENTS, TWO), *Node])
PLACES = st.sampled_from(
    [
        *((node, None) for node in Node),
        *((MODULES, below) for below in (ONE, TWO, "demo", "demo/files", "demo/other")),
        *((TEAMS, below) for below in (RING, "rings")),
        *((AGENTS, below) for below in (ONE, TWO)),
    ]
)
GRANTS = st.dictionaries(PLACES, st.sampled_from(Right))
ROLES = st.lists(GRANTS.map(lambda grants: RoleRights("some", grants)), max_size=3)


def role(grants: dict[Place, Right]) -> RoleRights:
    return RoleRights("some", grants)


@pytest.mark.parametrize(
    ("grants", "on", "right"),
    [
        ({}, FILES, DENY),
        ({(MODULES, None): READ}, FILES, READ),
        ({(MODULES, None): READ}, MODULES, READ),
        ({(MODULES, None): READ}, TEAM, DENY),
        ({(MODULES, None): READ, (MODULES, ONE): DENY}, FILES, DENY),
        ({(MODULES, None): READ, (MODULES, ONE): DENY}, ROOT, READ),
        ({(MODULES, None): READ, (MODULES, ONE): DENY}, MODULES, READ),
        ({(MODULES, "demo"): MODIFY}, FILES, MODIFY),
        ({(MODULES, "demo"): MODIFY}, Thing(MODULES, TWO, "DEMO"), MODIFY),
        ({(MODULES, "demo"): MODIFY}, Thing(MODULES, TWO, "Demonstration"), DENY),
        ({(MODULES, "demo"): MODIFY}, ROOT, DENY),
        ({(MODULES, "demo"): MODIFY}, MODULES, DENY),
        ({(MODULES, "demo"): MODIFY}, Thing(MODULES, folder="Demo/New"), MODIFY),
        ({(MODULES, "demo"): MODIFY, (MODULES, "demo/files"): DENY}, FILES, DENY),
        ({(MODULES, "demo"): DENY, (MODULES, ONE): READ}, FILES, READ),
        ({(TEAMS, ONE): READ}, FILES, DENY),
        ({(TEAMS, "demo"): READ}, FILES, DENY),
    ],
)
def test_nearest_grant_of_a_role_decides(grants: dict[Place, Right], on: Node | Thing, right: Right) -> None:
    caller = Caller.of("some", [role(grants)])
    assert [caller.may(one, on) for one in (READ, MODIFY)] == [right >= READ, right >= MODIFY]


@pytest.mark.parametrize(
    ("grants", "inherits", "right"),
    [
        ({(TEAMS, RING): MODIFY}, False, DENY),
        ({(TEAMS, RING): MODIFY}, True, MODIFY),
        ({(TEAMS, "rings"): READ}, True, READ),
        ({(TEAMS, None): READ}, True, READ),
        ({(TEAMS, RING): DENY, (TEAMS, None): READ}, True, DENY),
        ({(AGENTS, ONE): READ, (TEAMS, RING): DENY}, True, READ),
        ({(AGENTS, ONE): DENY, (TEAMS, RING): MODIFY}, True, DENY),
        ({(AGENTS, None): READ, (TEAMS, RING): DENY}, True, DENY),
        ({(AGENTS, None): MODIFY, (TEAMS, None): READ}, True, READ),
        ({(AGENTS, None): READ, (TEAMS, RING): DENY}, False, READ),
    ],
)
def test_an_agent_may_have_the_permissions_of_its_primary_team(
    grants: dict[Place, Right], inherits: bool, right: Right
) -> None:
    caller = Caller.of("some", [role(grants)], inherits)
    assert [caller.may(one, MEMBER) for one in (READ, MODIFY)] == [right >= READ, right >= MODIFY]
    without = Thing(AGENTS, TWO)
    assert caller.may(READ, without) == (grants.get((AGENTS, None), DENY) >= READ)


def test_one_role_gives_what_another_denies() -> None:
    denying = role({(MODULES, None): MODIFY, (MODULES, ONE): DENY})
    caller = Caller.of("some", [denying, role({(MODULES, "demo"): READ})])
    assert caller.may(READ, FILES)
    assert not caller.may(MODIFY, FILES)
    assert caller.may(MODIFY, ROOT)


@given(ROLES, GRANTS, THINGS, st.booleans(), st.sampled_from([READ, MODIFY]))
def test_another_role_never_takes_a_right_away(
    roles: list[RoleRights], grants: dict[Place, Right], on: Node | Thing, inherits: bool, right: Right
) -> None:
    before, after = Caller.of("some", roles, inherits), Caller.of("some", [*roles, role(grants)], inherits)
    assert before.may(right, on) <= after.may(right, on)
    assert after.may(right, on) == (before.may(right, on) or Caller.of("one", [role(grants)], inherits).may(right, on))


@given(GRANTS, THINGS, st.booleans())
def test_a_grant_that_says_what_is_above_is_as_none(
    grants: dict[Place, Right], on: Node | Thing, inherits: bool
) -> None:
    if isinstance(on, Node) or on.id is None:
        return
    without = role({place: right for place, right in grants.items() if place != (on.node, on.id)})
    said = role({**without.grants, (on.node, on.id): without.right_on(on, inherits)})
    assert said.right_on(on, inherits) == without.right_on(on, inherits)
    assert without.deciding(on, inherits) != (on.node, on.id)


@given(ROLES, THINGS, st.booleans(), st.sampled_from([READ, MODIFY]))
def test_what_is_known_of_nodes_holds_for_what_is_below(
    roles: list[RoleRights], on: Node | Thing, inherits: bool, right: Right
) -> None:
    caller = Caller.of("some", roles, inherits)
    node = on if isinstance(on, Node) else on.node
    assert caller.may_all(right, node) <= caller.may(right, on) <= caller.may_some(right, node)
    # The short way of callers without grants below a node says the same as the long one.
    assert caller.may(right, on) == any(one.right_on(on, inherits) >= right for one in roles)
    if node not in caller.fine:
        assert caller.may(right, on) == caller.may(right, node)


@given(THINGS)
def test_callers_without_roles(on: Node | Thing) -> None:
    assert ANONYMOUS.may(MODIFY, on)
    assert SYSTEM.may(MODIFY, on)
    assert not NOBODY.may(READ, on)
    assert not Caller.of("some", []).may(READ, on)


def test_refusal_names_what_it_is_about() -> None:
    caller = Caller.of("some", [role({(MODULES, TWO): READ})])
    with pytest.raises(Forbidden, match=f"login some has no Read right on Library/Modules/{ONE}"):
        caller.require(READ, FILES)
    with pytest.raises(Forbidden, match=r"login some has no Modify right on Library/Modules$"):
        caller.require_some(MODIFY, MODULES)
    caller.require_some(READ, MODULES)
    with pytest.raises(Forbidden, match=r"no Read right on Library/Modules$"):
        caller.require_all(READ, MODULES)


@pytest.mark.parametrize("inherits", [False, True])
def test_rights_on_whole_nodes_need_no_look_at_things(inherits: bool) -> None:
    full = role({(node, None): MODIFY for node in Node})
    assert not Caller.of("some", [full], inherits).fine
    assert Caller.of("some", [full, role({(MODULES, ONE): DENY})], inherits).fine == {MODULES}
