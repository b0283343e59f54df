import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.bindings.ivanti_automation import contract, translate
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import (
    GivenSet,
    Invoker,
    Job,
    JobPage,
    ParameterSet,
    Shared,
    Stage,
    What,
    WhatChoice,
    WhatKind,
    When,
    Who,
    WhoChoice,
    WhoKind,
)
from dispatcher.core.parameters import GivenValue, Parameter, ParameterType
from dispatcher.core.states import State
from dispatcher.wire.guids import NO_GUID, format_guid
from dispatcher.wire.json_codec import encode_json, json_decoder
from dispatcher.wire.types import new
from dispatcher.wire.xml_codec import encode_xml

PATCH = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")
PC_042 = UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_wire_job(**members: Any) -> Any:
    what = new(contract.JobWhat, ID=str(PATCH), Type=0)
    who = new(contract.JobWho, ID=str(PC_042), Type=0)
    return new(contract.Job, **{"What": [what], "Who": [who], **members})


def test_smallest_request_gets_all_defaults() -> None:
    request = translate.to_job_request(a_wire_job())

    assert request.what == [WhatChoice(PATCH, WhatKind.MODULE)]
    assert request.who == [WhoChoice([PC_042], WhoKind.AGENT)]
    assert request.when == When(immediate=True)
    assert (request.description, request.parameters, request.in_parallel) == ("", [], False)
    assert (request.outside_launch_window, request.tags) == (None, None)


def test_missing_lists_are_empty() -> None:
    request = translate.to_job_request(new(contract.Job))

    assert (request.what, request.who, request.parameters) == ([], [], [])


def test_missing_job_is_refused() -> None:
    with pytest.raises(InvalidValue, match="job"):
        translate.to_job_request(None)


def test_what_without_an_id_is_refused_by_its_place() -> None:
    nameless = new(contract.JobWhat, Name="Patch", Type=0)

    with pytest.raises(InvalidValue, match=r"What\[1\]/ID"):
        translate.to_job_request(a_wire_job(What=[new(contract.JobWhat, ID=str(PATCH)), nameless]))


@pytest.mark.parametrize(
    ("members", "identifiers"),
    [
        ({"ID": f"{{{PC_042}}}"}, [PC_042]),
        ({"ID": " PC-042 "}, ["PC-042"]),
        ({"Name": "PC-042"}, ["PC-042"]),
        ({"ID": "PC-042", "Name": "PC-042"}, ["PC-042"]),
        ({"ID": str(PC_042), "Name": "PC-042"}, [PC_042, "PC-042"]),
    ],
)
def test_who_is_tried_as_guid_then_as_name_then_by_name(members: dict[str, str], identifiers: list[UUID | str]) -> None:
    choice = translate.to_who_choice(new(contract.JobWho, Type=1, **members), "Who[0]")

    assert choice == WhoChoice(identifiers, WhoKind.TEAM)


def test_who_without_id_and_name_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"Who\[0\]/ID"):
        translate.to_who_choice(new(contract.JobWho, ID=" "), "Who[0]")


@pytest.mark.parametrize(
    ("members", "when"),
    [
        ({}, When(immediate=True)),
        ({"Immediate": True, "ScheduledDateTime": NOON}, When(immediate=True)),
        ({"Immediate": False, "ScheduledDateTime": NOON}, When(immediate=False, starts_at=NOON)),
        ({"ScheduledDateTime": NOON}, When(immediate=False, starts_at=NOON)),
        ({"Immediate": False}, When(immediate=False)),
        (
            {"Immediate": True, "IsLocalTime": True, "UseWakeOnLAN": True},
            When(immediate=True, is_local_time=True, use_wake_on_lan=True),
        ),
    ],
)
def test_when(members: dict[str, Any], when: When) -> None:
    assert translate.to_when(new(contract.JobWhen, **members)) == when


def test_null_containers_keep_their_place_and_nameless_parameters_count_for_nothing() -> None:
    parameters = [new(contract.JobParameter, Name="Ring", Value1="1"), None, new(contract.JobParameter, Value1="2")]
    container = new(contract.ParameterContainer, TaskContainerGuid="", JobParameters=parameters)

    request = translate.to_job_request(a_wire_job(Parameters=[None, container]))

    assert [one.what_id for one in request.parameters] == [None, None]
    assert [[*one.values] for one in request.parameters] == [[], [GivenValue("Ring", "1", None)]]


def test_container_is_matched_by_its_guid() -> None:
    container = new(contract.ParameterContainer, TaskContainerGuid=f"{{{PATCH}}}")

    assert translate.to_given_set(container).what_id == PATCH


def test_job_shows_its_start_even_before_it_has_started(a_job: Callable[..., Job]) -> None:
    job = a_job(state=State.SCHEDULED, started_at=NOON, stopped_at=None, when=When(immediate=False, starts_at=NOON))

    shown = translate.to_wire_job(job)

    assert (shown.Status.StartDateTime, shown.Status.StopDateTime, shown.Status.Type) == (NOON, None, 0)
    assert (shown.When.ScheduledDateTime, shown.When.Immediate) == (NOON, False)


def test_immediate_job_shows_when_it_started(a_job: Callable[..., Job]) -> None:
    shown = translate.to_wire_job(a_job(started_at=NOON))

    assert (shown.When.ScheduledDateTime, shown.When.Immediate) == (NOON, True)


def test_job_sent_back_asks_for_the_same_again(a_job: Callable[..., Job]) -> None:
    job = a_job(when=When(immediate=False, starts_at=NOON, use_wake_on_lan=True), in_parallel=True, tags="night")

    request = translate.to_job_request(translate.to_wire_job(job))

    assert request.what == [WhatChoice(PATCH, WhatKind.MODULE)]
    assert request.who[0].identifiers[0] == PC_042
    assert (request.when, request.description) == (job.when, job.description)
    assert (request.in_parallel, request.tags) == (True, "night")


#: All but NUL, which no text may hold.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the builder keeps nothing
@given(text=TEXTS, tags=st.none() | TEXTS, value=TEXTS)
def test_texts_survive_the_wire_in_json(a_job: Callable[..., Job], text: str, tags: str | None, value: str) -> None:
    patch = What(PATCH, "Patch", WhatKind.MODULE)
    parameters = [ParameterSet.of(patch, [Parameter("Ring", value1=value)])]
    sent = encode_json(contract.Job, translate.to_wire_job(a_job(description=text, tags=tags, parameters=parameters)))

    request = translate.to_job_request(json_decoder(contract.Job)(json.loads(sent), UTC))

    assert (request.description, request.tags) == (text, tags)
    assert request.parameters == [GivenSet(PATCH, [GivenValue("Ring", value, "")])]


def test_page_echoes_the_number_asked_for_past_the_end(a_job: Callable[..., Job]) -> None:
    shown = translate.to_wire_page(JobPage([], page=4, page_size=500, total=1201))

    assert (shown.CurrentPage, shown.PageCount, shown.PageSize, shown.TotalCount) == (4, 3, 500, 1201)
    assert shown.Items == []


@pytest.mark.parametrize("state", [State.ABORTING, State.DISABLED, State.SCHEDULED])
def test_caller_may_abort_disable_and_enable(state: State) -> None:
    assert translate.to_wanted_state(new(contract.JobStatus, Type=state.value)) is state


@pytest.mark.parametrize("state", sorted(set(State) - set(translate.WANTED_STATES)))
def test_no_other_state_can_be_asked_for(state: State) -> None:
    with pytest.raises(InvalidValue, match="status/Type"):
        translate.to_wanted_state(new(contract.JobStatus, Type=state.value))


@pytest.mark.parametrize("status", [None, new(contract.JobStatus)])
def test_status_without_a_type_is_refused(status: Any) -> None:
    with pytest.raises(InvalidValue, match="status/Type"):
        translate.to_wanted_state(status)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Parameter("a", ParameterType.TEXT, "x", "stray", "stray"), ("x", "", "")),
        (Parameter("a", ParameterType.LIST, "1", "1;2", "one;two"), ("1", "1;2", "one;two")),
        (Parameter("a", ParameterType.CREDENTIALS, "corp\\ada", "secret"), ("corp\\ada", "", "")),
        (Parameter("a", ParameterType.PASSWORD, "secret"), ("", "", "")),
        (Parameter("a", ParameterType.MULTILINE, "x\ny"), ("x\ny", "", "")),
    ],
)
def test_secrets_are_masked_and_only_lists_have_choices(parameter: Parameter, values: tuple[str, str, str]) -> None:
    shown = translate.to_wire_parameter(parameter)

    assert (shown.Value1, shown.Value2, shown.Value3) == values
    assert (shown.Name, shown.Type, shown.Selection) == ("a", parameter.type.value, "")


def test_parameters_before_scheduling_belong_to_no_job() -> None:
    shown = translate.to_wire_parameter_set(ParameterSet.of(What(PATCH, "Patch", WhatKind.MODULE), []))

    assert (shown.Identifier, shown.JobName) == ("", "")
    assert shown.JobGuid == "{00000000-0000-0000-0000-000000000000}"
    assert (shown.TaskContainerGuid, shown.TaskContainerName) == (f"{{{str(PATCH).upper()}}}", "Patch")


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("turns", [(Invoker.USER, Invoker.RUNBOOK), (Invoker.RUNBOOK, Invoker.USER)])
def test_parameters_of_a_step_name_its_job_and_those_of_others_none(
    a_job: Callable[..., Job], is_shared: bool, turns: tuple[Invoker, Invoker]
) -> None:
    patch, ring = What(PATCH, "Patch", WhatKind.MODULE), [Parameter("Ring", value1="1")]
    parameters = [ParameterSet(patch, Shared(ring), ["2"]) if is_shared else ParameterSet.of(patch, ring)]
    of_all = Shared(parameters) if is_shared else parameters

    for number, invoker in enumerate((*turns, *turns), start=1):
        job = a_job(id=UUID(int=number), invoker=invoker, parameters=of_all)
        for encode in (encode_json, encode_xml):
            text = encode(contract.Job, translate.to_wire_job(job)).decode()
            shown = format_guid(job.id) if invoker is Invoker.RUNBOOK else NO_GUID
            assert re.findall(r"JobGuid\W+?([{][0-9-]+[}])", text) == [shown]


@pytest.mark.parametrize(
    ("is_runbook", "invoker", "shown"),
    [
        (False, Invoker.USER, False),
        (False, Invoker.RECURRENCE, False),
        (True, Invoker.USER, True),
        (False, Invoker.RUNBOOK, True),
        (True, Invoker.RUNBOOK, True),
    ],
)
def test_run_books_and_their_steps_are_run_book_jobs(
    a_job: Callable[..., Job], is_runbook: bool, invoker: Invoker, shown: bool
) -> None:
    assert translate.to_wire_job(a_job(is_runbook=is_runbook, invoker=invoker)).IsRunBookJob is shown


def test_flags_of_a_team_are_false() -> None:
    shown = translate.to_wire_who(Who(PC_042, "Ring 1", WhoKind.TEAM))

    assert (shown.Type, shown.IsOnline, shown.IsLicensed) == (1, False, False)


def test_defaults_of_queries() -> None:
    assert translate.to_page_query(None, None, None, None, None) == (Stage.ALL, False, False, 1, 500)
    assert translate.to_who_query(None, None, None, None, None) == (True, True, False, False, "")


def test_values_of_queries() -> None:
    assert translate.to_page_query(3, True, True, 2, 10) == (Stage.HISTORY, True, True, 2, 10)
    assert translate.to_who_query(False, False, True, True, "PC") == (False, False, True, True, "PC")
