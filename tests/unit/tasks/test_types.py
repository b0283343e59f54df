"""Settings as inputs of runs: what either side does not know of the other's is no obstacle."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.discovering.order import AddressTarget, DiscoveryOrder, Options
from dispatcher.tasks.notices.order import NoticeOrder
from dispatcher.tasks.types import TaskSettings

ORDERS = [
    DiscoveryOrder(options=Options(icmp=True), targets=[AddressTarget(address="127.0.0.1", retry=1)], pings=7),
    SetupOrder(ssh_port=2222),
    NoticeOrder(message="Now", allow_cancel=True),
]


@pytest.mark.parametrize("order", ORDERS)
def test_what_is_sent_is_read_with_and_without_members_of_tomorrow(order: TaskSettings) -> None:
    sent = order.to_input()
    assert type(order).of_input(sent) == order
    assert type(order).of_input(json.dumps({**sent, "of_tomorrow": 1})) == order


def test_what_is_as_usual_is_not_sent_to_agents_that_may_not_know_it() -> None:
    assert set(ORDERS[0].to_input()) == {"options", "targets", "pings"}
    assert ORDERS[2].to_input() == {"message": "Now", "allow_cancel": True}


@pytest.mark.parametrize("given", ["{", "[]", "1", None, {"message": 1}])
def test_nonsense_is_an_error(given: object) -> None:
    with pytest.raises(ValueError, match=r"Expecting|validation error"):
        NoticeOrder.of_input(given)


def test_in_the_library_an_unknown_member_is_an_error() -> None:
    with pytest.raises(ValidationError):
        NoticeOrder.model_validate({"message": "Now", "of_tomorrow": 1})
