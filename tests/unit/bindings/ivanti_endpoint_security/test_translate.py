"""Translation of jobs and deployments: what is stored is read back as it was meant, with every default.

The members and their defaults are those of contract 1.3, 1.4 and 1.9.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from ies_seed import NOTICE

from dispatcher.bindings.ivanti_endpoint_security import (
    contract,
    deployment_contract,
    translate,
    translate_deployments,
)
from dispatcher.core.states import State
from dispatcher.services.ivanti_endpoint_security.deployments import ShownDeployment
from dispatcher.services.ivanti_endpoint_security.jobs import ShownJob
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder, JobOrder, Kind
from dispatcher.services.ivanti_endpoint_security.records import Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MESSAGE = (
    "The download and installation of the patch: {Package Name} is ready to begin. If you require any additional "
    "information, please contact your Ivanti Endpoint Security administrator."
)
#: What is stored apart.
SECRETS = ("password", "directory_passwords")
OPTIONS = ["PortScanDiscovery", "IcmpDiscovery", "ResolveDnsName", "ResolveMacAddress", "ResolveNetbiosName"]
OPTIONS += ["SnmpDiscovery", "VerifyWithPing", "WindowsDiscovery"]
MODULES = ["AC", "AV", "DC", "PR"]
#: A value as it is sent, and what it means.
Pair = tuple[Any, Any]
NAMES = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=9).map(str.strip).filter(bool)
LINES = st.just("") | NAMES
FLAGS = st.sampled_from([(True, True), (False, False), ("true", True), ("FALSE", False)])


def same(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return values.map(lambda value: (value, value))


def numbers(lowest: int, highest: int) -> st.SearchStrategy[Pair]:
    return st.integers(lowest, highest).flatmap(lambda one: st.sampled_from([(one, one), (str(one), one)]))


def a_moment(seconds: int, hours: int | None) -> Pair:
    moment = NOW + timedelta(seconds=seconds)
    if hours is None:
        return moment.replace(tzinfo=None).isoformat(), moment
    return moment.astimezone(timezone(timedelta(hours=hours))).isoformat(), moment


#: Moments as they may be written: in any zone, or without one for UTC.
MOMENTS = st.tuples(st.integers(-(10**8), 10**8), st.none() | st.integers(-12, 14)).map(lambda one: a_moment(*one))
PATIENCE = {"Timeout": (numbers(1, 600_000), 3000), "Retry": (numbers(0, 100), 3)}
#: In letters of another case, for some.
SPELLINGS: st.SearchStrategy[Callable[[str], str]] = st.sampled_from([str.strip, str.lower, str.upper])


@st.composite
def objects(
    draw: st.DrawFn,
    required: Mapping[str, st.SearchStrategy[Pair]],
    optional: Mapping[str, tuple[st.SearchStrategy[Pair], Any]],
    *,
    nulls: bool = True,
    unseen: tuple[str, ...] = (),
) -> Pair:
    """Draw an object with the members as they are sent, and with each as it is read back, but for those *unseen*."""
    spelled = draw(SPELLINGS)
    sent, meant = {}, {}
    for name, values in required.items():
        sent[spelled(name)], meant[name] = draw(values)
    for name, (values, default) in optional.items():
        meant[name] = default
        match draw(st.sampled_from(["given", "absent", "null"] if nulls else ["given", "absent"])):
            case "given":
                sent[spelled(name)], meant[name] = draw(values)
            case "null":
                sent[spelled(name)] = None
    return sent, {name: value for name, value in meant.items() if name not in unseen}


def lists(pairs: st.SearchStrategy[Pair]) -> tuple[st.SearchStrategy[Pair], list[Any]]:
    return st.lists(pairs, max_size=2).map(lambda some: ([one for one, _ in some], [one for _, one in some])), []


ADDRESSES = st.integers(0, (1 << 32) - 1).map(lambda one: str(IPv4Address(one)))
ADDRESSES |= st.integers(0, (1 << 128) - 1).map(lambda one: str(IPv6Address(one)))


@st.composite
def ranges(draw: st.DrawFn) -> Pair:
    first, last = sorted(draw(st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1))))
    ends = {"StartIp": str(IPv4Address(first)), "EndIp": str(IPv4Address(last))}
    return draw(objects({name: st.just((one, one)) for name, one in ends.items()}, PATIENCE))


DIRECTORY = {name: (same(LINES), "") for name in ("CanonicalName", "OrganizationalUnit", "Username", "Password")}
TARGETS = objects(
    {},
    {
        "SingleIpTargets": lists(objects({"Ip": same(ADDRESSES)}, PATIENCE)),
        "RangeIpTargets": lists(ranges()),
        "ComputerNameTargets": lists(objects({"ComputerName": same(NAMES)}, PATIENCE)),
        "ActiveDirectoryTargets": lists(
            objects({"Domain": same(NAMES)}, {**DIRECTORY, **PATIENCE}, unseen=("Password",))
        ),
    },
).filter(lambda pair: any(pair[1].values()))
CREDENTIALS = objects({"Username": same(NAMES)}, {"Password": (same(LINES), "")}, unseen=("Password",))
JOBS = objects(
    {
        "Name": same(NAMES),
        "JobType": numbers(1, 3),
        "StartTime": MOMENTS,
        "DiscoveryTargets": TARGETS,
    },
    {
        "OverwriteExistingAgents": (FLAGS, False),
        "Credentials": (CREDENTIALS, None),
        "Modules": (objects({}, dict.fromkeys(MODULES, (FLAGS, False))), dict.fromkeys(MODULES, False)),
        "DiscoveryOptions": (objects({}, dict.fromkeys(OPTIONS, (FLAGS, False))), dict.fromkeys(OPTIONS, True)),
        "Agent": (same(LINES), ""),
    },
)


def a_record(order: JobOrder | DeploymentOrder, kind: Kind, *, without: Iterable[str] = ()) -> Record:
    """Return the record of *order* as a database gives it back."""
    document = json.loads(json.dumps(order.model_dump(mode="json", exclude=set(without))))
    return Record(
        job_id=UUID(int=1),
        number=17,
        kind=kind,
        name=order.name,
        starts_at=order.starts_at,
        created_by="ops",
        created_at=NOW,
        state=State.SCHEDULED,
        document=document,
        started_at=None,
        stopped_at=None,
        reason="",
    )


OF_RECORD = {"Id": 17, "Status": "Scheduled", "CreatedBy": "ops", "CreatedTime": NOW}
OF_RECORD |= dict.fromkeys(("StartedTime", "CompletedTime"), None) | {"StatusDetail": ""}


@settings(max_examples=50, deadline=None)
@given(JOBS)
def test_a_job_is_read_back_as_it_was_meant(job: Pair) -> None:
    sent, meant = job
    if meant["JobType"] != 2:  # they are ignored
        meant["Modules"] = dict.fromkeys(MODULES, False)
    order = translate.to_order(contract.NewJob.model_validate(sent))
    record = a_record(order, order.kind, without=SECRETS)
    shown = translate.to_wire_job(ShownJob(record, JobOrder.model_validate(record.document)))
    assert shown.model_dump() == meant | OF_RECORD


def test_passwords_are_in_the_order_and_in_nothing_that_is_stored_or_shown() -> None:
    directories = [{"Domain": "d", "Password": f"hush {place}"} for place in range(2)]
    sent = {
        "Name": "all",
        "JobType": 3,
        "StartTime": NOW.isoformat(),
        "Credentials": {"Username": "root", "Password": "hush hush"},
        "DiscoveryTargets": {"ActiveDirectoryTargets": directories, "SingleIpTargets": [{"Ip": "127.0.0.1"}]},
    }
    order = translate.to_order(contract.NewJob.model_validate(sent))
    assert order.password is not None
    assert order.password.get_secret_value() == "hush hush"
    opened = {place: text.get_secret_value() for place, text in order.directory_passwords.items()}
    assert opened == {1: "hush 0", 2: "hush 1"}
    record = a_record(order, order.kind, without=SECRETS)
    shown = translate.to_wire_job(ShownJob(record, JobOrder.model_validate(record.document)))
    assert "hush" not in f"{record.document} {shown.model_dump_json()} {order!r}"


def notices(within: str) -> st.SearchStrategy[Pair]:
    members: dict[str, tuple[st.SearchStrategy[Pair], Any]] = {name: (FLAGS, one) for name, one in NOTICE.items()}
    members["Message"] = (same(NAMES), MESSAGE)
    members[within] = (numbers(0, 525_600), 60)
    return objects({}, members)


GUIDS = st.uuids().flatmap(lambda one: st.sampled_from([(str(one), one), (f"{{{one}}}".upper(), one)]))
DEPLOYMENTS = objects(
    {"CustomPatchListId": numbers(1, (1 << 63) - 1), "StartTime": MOMENTS},
    {
        "Name": (same(LINES), ""),
        "AgentGuids": lists(GUIDS),
        "GroupIds": lists(numbers(0, 1 << 40)),
        "Notify": (notices("DeployWithin"), None),
        "Reboot": (notices("RebootWithin"), None),
    },
).filter(lambda pair: bool(pair[1]["AgentGuids"] or pair[1]["GroupIds"]))


@settings(max_examples=50, deadline=None)
@given(DEPLOYMENTS)
def test_a_deployment_is_read_back_as_it_was_meant(deployment: Pair) -> None:
    sent, meant = deployment
    order = translate_deployments.to_order(deployment_contract.NewDeployment.model_validate(sent))
    record = a_record(order, Kind.DEPLOYMENT)
    stored = ShownDeployment(record, DeploymentOrder.model_validate(record.document))
    shown = translate_deployments.to_wire_deployment(stored)
    assert shown.model_dump() == meant | OF_RECORD


def test_what_is_given_without_a_word_of_the_policy_holds_and_null_gives_nothing() -> None:
    notice = {
        "allowsnooze": None,
        "AllowCancel": False,
        "NotificationOnTop": True,
        "UseAgentPolicy_NotificationOnTop": True,
    }
    sent = {"CustomPatchListId": 1, "GroupIds": [1], "StartTime": NOW.isoformat(), "Notify": notice}
    order = translate_deployments.to_order(deployment_contract.NewDeployment.model_validate(sent))
    assert order.notify is not None
    by_policy = (order.notify.cancel_by_policy, order.notify.snooze_by_policy, order.notify.on_top_by_policy)
    assert (by_policy, order.notify.own) == ((False, True, True), {"allow_cancel"})
