"""The life of jobs: what becomes of them in the scheduler, which is what every other dialect sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import DAILY, FIRST, SECOND, Client, entity, occurrences, order

from dispatcher.core.errors import Conflict, JobNotFound
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.schedules import Outcome
from dispatcher.core.states import State
from dispatcher.services.hall import Hall


def test_job_is_a_recurring_job_of_the_scheduler(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order(entities=[entity(), entity(SECOND)]))
    job = hall.jobs.get(UUID(made["id"]), SYSTEM)
    assert (job.description, job.state, job.is_recurring) == ("check", State.SCHEDULED, True)
    assert [str(who.id) for who in job.who] == [FIRST, SECOND]
    assert [what.name for what in job.what] == ["AD checklist"]
    assert job.when.recurrence is not None
    assert job.when.recurrence.rule == "DTSTART:20260302T101000Z\nRRULE:FREQ=DAILY"
    assert job.started_at == datetime(2026, 3, 2, 10, 10, tzinfo=UTC)


def test_due_times_become_jobs(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order())
    clock.turn(timedelta(days=1))
    assert hall.occurrences.fire_due() == 1
    (occurrence,) = occurrences(hall, made)
    assert (occurrence.state, occurrence.recurring_id) == (State.ACTIVE, UUID(made["id"]))
    assert [str(who.id) for who in occurrence.who] == [FIRST]


@pytest.mark.parametrize("start", ["2016-04-14T10:10:10+0000", "2026-03-01T12:00:30+0000"])
def test_never_is_the_only_run(client: Client, hall: Hall, clock: Any, start: str) -> None:
    made = client.post("jobs", order(schedule={"startDate": start, "pattern": {"type": "never"}}))
    for _ in range(5):
        clock.turn(timedelta(minutes=1))
        hall.occurrences.fire_due()
        hall.occurrences.release_held()
    assert len(occurrences(hall, made)) == 1
    assert client.get(f"jobs/{made['id']}")["schedule"] == made["schedule"]


@pytest.mark.parametrize(("pattern", "times"), [("never", 1), ("run once", 2)])
@pytest.mark.parametrize("changes", [False, True])
def test_second_that_ends_meanwhile_loses_no_run(
    client: Client, hall: Hall, clock: Any, monkeypatch: pytest.MonkeyPatch, pattern: str, times: int, changes: bool
) -> None:
    """What is to start at once is due from the moment of the request on, however long that takes."""
    path = "jobs"
    if changes:
        path += "/" + client.post("jobs", order())["id"]

    def tick(self: Any) -> datetime:
        self.turn(timedelta(microseconds=300))
        return self.moment  # type: ignore[no-any-return]

    clock.turn(timedelta(microseconds=999_500))
    monkeypatch.setattr(type(clock), "__call__", tick)
    past = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": pattern}}
    made = client.post(path, order(schedule=past))
    monkeypatch.undo()
    for _ in range(4):
        clock.turn(timedelta(minutes=1))
        hall.occurrences.fire_due()
        for one in occurrences(hall, made):
            hall.aborting.abort(one.id, SYSTEM)
        hall.occurrences.release_held()
    assert len(occurrences(hall, made)) == times


def test_run_once_is_run_once_more_when_the_first_has_ended(client: Client, hall: Hall, clock: Any) -> None:
    past = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "run once"}}
    made = client.post("jobs", order(schedule=past))
    for _ in range(5):
        clock.turn(timedelta(minutes=1))
        hall.occurrences.fire_due()
        hall.occurrences.release_held()
    (first,) = occurrences(hall, made)
    hall.aborting.abort(first.id, SYSTEM)
    for _ in range(5):
        clock.turn(timedelta(minutes=1))
        hall.occurrences.release_held()
        hall.occurrences.fire_due()
    second, _ = occurrences(hall, made)
    hall.aborting.abort(second.id, SYSTEM)
    for _ in range(5):
        clock.turn(timedelta(minutes=1))
        hall.occurrences.release_held()
        hall.occurrences.fire_due()
    assert len(occurrences(hall, made)) == 2


def test_without_a_schedule_it_runs_at_once(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order(name=None, script={"jobType": "custom", "customScript": {"id": 7}}, schedule=None))
    assert made["schedule"] == {"startDate": "2026-03-01T12:00:00+0000", "pattern": {"type": "never"}}
    clock.turn(timedelta(seconds=1))
    hall.occurrences.fire_due()
    assert len(occurrences(hall, made)) == 1


def test_without_a_resource_there_is_nothing_to_do(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order(entities=None))
    clock.turn(timedelta(days=1))
    hall.occurrences.fire_due()
    (occurrence,) = occurrences(hall, made)
    assert occurrence.state is State.SKIPPED


def test_type_without_a_module_fails_when_it_is_due(client: Client, hall: Hall, clock: Any, load_library: Any) -> None:
    made = client.post("jobs", order(script={"jobType": "antivirus"}))
    clock.turn(timedelta(days=1))
    hall.occurrences.fire_due()
    (occurrence,) = occurrences(hall, made)
    assert (occurrence.state, occurrence.reason) == (State.FAILED, "no module bound to job type antivirus")
    assert hall.results.collect(occurrence.id, True, SYSTEM)[0].runs == []

    load_library("""
modules:
  - {name: Late, aliases: {opsramp: {job_type: antivirus}}, tasks: [{type: command, name: a, settings: {command: a}}]}
""")
    clock.turn(timedelta(days=1))
    hall.occurrences.fire_due()
    later, _ = occurrences(hall, made)
    assert (later.state, [what.name for what in later.what]) == (State.ACTIVE, ["Late"])


def test_run_now_occurs_beside_the_schedule(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order())
    answers = [
        client.ask("GET", f"jobs/{made['id']}/run", {"reason": "To run job on demand"}),
        client.ask("GET", f"jobs/{made['id']}/run"),
        client.ask("POST", f"jobs/{made['id']}/run", {}),
        client.ask("POST", f"jobs/{made['id']}/script/run"),
    ]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 4
    ledger = hall.schedules.ledger(UUID(made["id"]), 1, 100, SYSTEM).items
    assert {entry.outcome for entry in ledger} == {Outcome.FIRED}
    assert ledger[-1].reason == "asked for: To run job on demand"
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).started_at == datetime(2026, 3, 2, 10, 10, tzinfo=UTC)
    assert len(occurrences(hall, made)) == 4


def test_update_makes_it_another_job_with_the_same_id(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order())
    weekly = {"startDate": "2026-03-02T10:10:10+0000", "pattern": {"type": "weekly", "weekDays": "Friday"}}
    changes = order(id=made["id"].upper(), name="another", entities=[entity(SECOND)], schedule=weekly, jobQueued="true")
    changed = client.post(f"jobs/{made['id']}", changes)
    assert changed == client.post(f"jobs/{made['id']}", changes)
    assert (changed["id"], changed["name"], changed["jobQueued"]) == (made["id"], "another", True)
    job = hall.jobs.get(UUID(made["id"]), SYSTEM)
    assert (job.description, [str(who.id) for who in job.who]) == ("another", [SECOND])
    assert job.started_at == datetime(2026, 3, 6, 10, 10, tzinfo=UTC)


def test_update_that_repeats_the_schedule_starts_nothing_anew(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order(schedule={"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}))
    clock.turn(timedelta(minutes=1))
    hall.occurrences.fire_due()
    client.post(f"jobs/{made['id']}", order(name="renamed", schedule=made["schedule"]))
    clock.turn(timedelta(minutes=1))
    hall.occurrences.fire_due()
    assert len(occurrences(hall, made)) == 1


def test_update_that_names_no_start_starts_nothing_anew(client: Client, hall: Hall, clock: Any) -> None:
    body = order(script={"customScript": {"id": 7}}, schedule={"pattern": {"type": "never"}})
    made = client.post("jobs", body)
    for _ in range(2):
        clock.turn(timedelta(minutes=2))
        hall.occurrences.fire_due()
        assert client.post(f"jobs/{made['id']}", {**body, "name": "renamed"})["schedule"] == made["schedule"]
    assert len(occurrences(hall, made)) == 1
    once = client.post(f"jobs/{made['id']}", {**body, "schedule": {"pattern": {"type": "run once"}}})
    assert once["schedule"] == {"startDate": "2026-03-01T12:04:00+0000", "pattern": {"type": "run once"}}


def stands(hall: Hall, job: dict[str, Any]) -> tuple[State, str]:
    """Return the state of *job* and its reason, once the scheduler has looked after what is due, and what has ended."""
    hall.occurrences.fire_due()
    hall.occurrences.release_held()
    found = hall.jobs.get(UUID(job["id"]), SYSTEM)
    return found.state, found.reason


NOW_ONCE = order(script={"customScript": {"id": 7}}, schedule=None)


def test_job_that_is_over_is_what_its_last_run_is(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", NOW_ONCE)
    key = UUID(made["id"])
    clock.turn(timedelta(seconds=1))
    assert [stands(hall, made) for _ in range(2)] == [(State.ACTIVE, "")] * 2
    client.post(f"jobs/{made['id']}", {**NOW_ONCE, "name": "renamed"})
    assert (stands(hall, made), len(occurrences(hall, made))) == ((State.ACTIVE, ""), 1)
    (first,) = occurrences(hall, made)
    assert hall.results.collect(key, True, SYSTEM)[0].job == first
    hall.aborting.abort(first.id, SYSTEM)
    assert stands(hall, made) == (State.ABORTED, "aborted by system")
    assert hall.jobs.get(key, SYSTEM).stopped_at == clock()

    clock.turn(timedelta(seconds=1))
    assert client.ask("GET", f"jobs/{made['id']}/run").status == 200
    assert stands(hall, made) == (State.ACTIVE, "")
    assert hall.jobs.get(key, SYSTEM).stopped_at is None
    second, _ = occurrences(hall, made)
    assert hall.results.collect(key, True, SYSTEM)[0].job == second

    client.post(f"jobs/{made['id']}", order(schedule=DAILY))
    assert stands(hall, made) == (State.SCHEDULED, "")
    clock.turn(timedelta(days=1))
    assert stands(hall, made) == (State.SCHEDULED, "")
    assert len(occurrences(hall, made)) == 3


def test_job_that_waits_for_approval_is_active_until_it_is_over(client: Client, hall: Hall, clock: Any) -> None:
    past = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}
    made = client.post("jobs", order(script={"jobType": "appinstall"}, schedule=past))
    clock.turn(timedelta(seconds=1))
    assert stands(hall, made) == (State.ACTIVE, "")
    assert client.ask("POST", f"jobs/{made['id']}/approve").status == 200
    assert stands(hall, made) == (State.ACTIVE, "")
    clock.turn(timedelta(days=90))  # nobody fetches it
    hall.clockwork.cancel_overdue()
    reason = hall.jobs.get(occurrences(hall, made)[0].id, SYSTEM).reason
    assert stands(hall, made) == (State.CANCELLED, reason)
    assert client.ask("POST", f"jobs/{made['id']}/run").status == 200
    assert stands(hall, made) == (State.ACTIVE, "")


def test_job_that_has_failed_or_was_skipped_says_so(client: Client, hall: Hall, clock: Any) -> None:
    past = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}
    unbound = client.post("jobs", order(script={"jobType": "antivirus"}, schedule=past))
    nobody = client.post("jobs", {**NOW_ONCE, "entities": []})
    clock.turn(timedelta(seconds=1))
    assert stands(hall, unbound) == (State.FAILED, "no module bound to job type antivirus")
    assert stands(hall, nobody)[0] is State.SKIPPED
    for made in (unbound, nobody):
        assert client.ask("POST", f"jobs/{made['id']}/run").status == 200
        assert len(occurrences(hall, made)) == 2
    assert stands(hall, unbound)[0] is State.FAILED
    client.post(f"jobs/{unbound['id']}", order(schedule=DAILY))
    assert stands(hall, unbound) == (State.SCHEDULED, "")


def test_scheduler_that_aborts_it_aborts_what_it_does(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", NOW_ONCE)
    clock.turn(timedelta(seconds=1))
    assert stands(hall, made) == (State.ACTIVE, "")
    hall.aborting.abort(UUID(made["id"]), SYSTEM)
    assert [one.state for one in occurrences(hall, made)] == [State.ABORTED]
    assert stands(hall, made) == (State.ABORTED, "aborted by system")
    daily = client.post("jobs", order())
    client.ask("GET", f"jobs/{daily['id']}/run")
    hall.aborting.abort(UUID(daily["id"]), SYSTEM)
    assert [one.state for one in occurrences(hall, daily)] == [State.ABORTED]
    assert stands(hall, daily)[0] is State.CANCELLED


@pytest.mark.parametrize("ends", [True, False])
def test_delete_cancels_what_is_over(client: Client, hall: Hall, clock: Any, ends: bool) -> None:
    made = client.post("jobs", NOW_ONCE)
    key = UUID(made["id"])
    clock.turn(timedelta(seconds=1))
    assert stands(hall, made) == (State.ACTIVE, "")
    if ends:
        hall.aborting.abort(occurrences(hall, made)[0].id, SYSTEM)
        assert stands(hall, made)[0] is State.ABORTED
    assert client.ask("DELETE", f"jobs/{made['id']}").status == 200
    assert [one.state for one in occurrences(hall, made)] == [State.ABORTED]
    assert stands(hall, made)[0] is State.CANCELLED
    with pytest.raises(Conflict):
        hall.on_demand.run(key, SYSTEM)


def test_job_that_is_over_waits_for_changes_of_its_devices(client: Client, hall: Hall, clock: Any) -> None:
    config = {"configParams": {"versionsSaved": "ALL_VERSIONS", "backUpTrigger": True}}
    past = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}
    made = client.post("jobs", order(script={"jobType": "networkconfigbackup", **config}, schedule=past))
    clock.turn(timedelta(seconds=1))
    hall.occurrences.fire_due()
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).state is State.SCHEDULED


def test_job_that_is_over_goes_with_the_last_of_its_runs(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order(entities=None, script={"customScript": {"id": 7}}, schedule=None))
    clock.turn(timedelta(seconds=1))
    hall.occurrences.fire_due()
    for name in ("jobs_days", "ledger_days"):
        hall.settings.set(f"retention.{name}", "1", SYSTEM)
    assert client.get(f"jobs/{made['id']}")
    clock.turn(timedelta(days=2))
    while hall.retention.sweep() or clock.moment >= (hall.retention.next_moment() or clock.moment):
        clock.turn(timedelta(seconds=1))
    assert client.ask("GET", f"jobs/{made['id']}").status == 404


def test_pause_of_another_dialect_outlives_a_change(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order())
    hall.schedules.pause(UUID(made["id"]), clock() + timedelta(days=3), SYSTEM)
    weekdays = {**DAILY, "pattern": {"type": "daily", "frequency": "every weekday"}}
    for schedule in (DAILY, weekdays):
        client.post(f"jobs/{made['id']}", order(name="renamed", schedule=schedule))
        assert hall.schedules.get(UUID(made["id"]), SYSTEM).is_paused


def test_start_keeps_its_offset_when_an_answer_is_sent_back(client: Client, hall: Hall) -> None:
    monday = {"startDate": "2026-03-02T01:00:00+0530", "pattern": {"type": "weekly", "weekDays": "Monday"}}
    made = client.post("jobs", order(schedule=monday))
    assert made["schedule"]["startDate"] == "2026-03-01T19:30:00+0000"
    client.post(f"jobs/{made['id']}", order(name="renamed", schedule=made["schedule"]))
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).started_at == datetime(2026, 3, 1, 19, 30, tzinfo=UTC)


def test_update_without_a_schedule_leaves_it(client: Client, hall: Hall, clock: Any) -> None:
    custom = {"jobType": "custom", "customScript": {"id": 7}}
    made = client.post("jobs", order(script=custom))
    changed = client.post(f"jobs/{made['id']}", order(script=custom, schedule=None))
    assert changed["schedule"] == made["schedule"]


def test_delete_ends_it_and_what_it_does(client: Client, hall: Hall) -> None:
    made = client.post("jobs", order())
    client.ask("GET", f"jobs/{made['id']}/run")
    (occurrence,) = occurrences(hall, made)
    answer = client.ask("DELETE", f"jobs/{made['id']}")
    assert (answer.status, answer.body) == (200, b"")
    assert hall.jobs.get(UUID(made["id"]), SYSTEM).state is State.CANCELLED
    assert hall.jobs.get(occurrence.id, SYSTEM).state in (State.ABORTING, State.ABORTED)
    assert client.ask("GET", f"jobs/{made['id']}").status == 404
    assert client.get("jobs/search")["results"] == []


def test_job_that_the_scheduler_has_removed_is_gone_here(client: Client, hall: Hall, clock: Any) -> None:
    made = client.post("jobs", order())
    hall.aborting.abort(UUID(made["id"]), SYSTEM)
    assert client.ask("GET", f"jobs/{made['id']}/run").status == 409
    hall.settings.set("retention.jobs_days", "1", SYSTEM)
    clock.turn(timedelta(days=2))
    while hall.retention.sweep() or clock.moment >= (hall.retention.next_moment() or clock.moment):
        clock.turn(timedelta(seconds=1))
    with pytest.raises(JobNotFound):
        hall.jobs.get(UUID(made["id"]), SYSTEM)
    assert client.ask("GET", f"jobs/{made['id']}").status == 404


def test_get_shows_more_of_the_resources(client: Client) -> None:
    made = client.post("jobs", order())
    shown = client.get(f"jobs/{made['id'].upper()}")
    assert shown["entities"][0]["resource"]["generalInfo"] == {
        "ipAddresses": "10.233.19.130",
        "hostName": "10.233.19.130",
        "resourceType": "Device",
        "resourceName": "10.233.19.130",
        "aliasName": "",
    }
    for one in shown["entities"]:
        del one["resource"]["generalInfo"]
    for one in made["entities"]:
        del one["resource"]["generalInfo"]
    assert shown == made


def test_search_shows_the_tenants_jobs_in_pages(client: Client) -> None:
    custom = {"jobType": "custom", "customScript": {"id": 7}, "parameters": [{"paramId": 2, "value": "1"}]}
    for name in ("b", "A", "c"):
        client.post("jobs", order(name=name))
    client.post("jobs", order(name="d", script=custom))
    client.tenant = "client_99"
    client.post("jobs", order(name="another tenant's", entities=None))
    client.tenant = "client_93"

    page = client.get("jobs/search", "pageSize=3&sortName=name&isDescendingOrder=false")
    assert [one["name"] for one in page.pop("results")] == sorted("Abc")
    assert page == {
        "totalResults": 4,
        "orderBy": "job.name",
        "pageNo": 1,
        "pageSize": 3,
        "totalPages": 2,
        "nextPage": True,
        "previousPageNo": 0,
        "descendingOrder": False,
    }
    newest = client.get("jobs/search")
    assert (newest["orderBy"], newest["descendingOrder"], newest["nextPage"]) == ("job.id", True, False)
    first = newest["results"][0]
    assert list(first) == ["name", "schedule", "jobQueued", "script", "id"]
    assert "parameters" not in first["script"]
    last = client.get("jobs/search", "pageNo=1&pageSize=3&pageNo=2")
    assert [one["name"] for one in last["results"]] == ["b"]
    assert last["previousPageNo"] == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("name:CHE", 1),
        ("name:CHE%2BisEquals:true", 0),
        ("name:check%2BisEquals:true", 1),
        ("check", 1),
        ("type:adCheckList", 1),
        ("jobType:custom,adCheckList", 1),
        ("name:check%2Btype:custom", 0),
        ("name:check+type:adCheckList", 1),
        ("name:check+type:custom", 0),
        ("name:a%20check", 0),
        ("name:%25", 0),
        ("color:blue", 0),
        ("id:nothing", 0),
        ("name:" + "x" * 60_000, 0),
        ("name:" + "," * 60_000, 1),
        ("type:" + "x," * 30_000, 0),
        ("", 1),
    ],
)
def test_search_by_words(client: Client, words: str, found: int) -> None:
    client.post("jobs", order())
    assert client.get("jobs/search", f"queryString={words}")["totalResults"] == found


@pytest.mark.parametrize("query", ["pageNo=0", "pageNo=x", "pageSize=-1", "pageSize=9999999999999", "sortName=;drop"])
def test_search_takes_any_words(client: Client, query: str) -> None:
    """Contract section 4.4: the client tries what is refused with 400 again and again."""
    client.post("jobs", order())
    assert client.get("jobs/search", query)["totalResults"] == 1


def test_only_what_is_posted_is_refused_with_400(client: Client) -> None:
    """Contract section 4.4."""
    path = f"jobs/{client.post('jobs', order())['id']}/run"
    asked = [
        *(("GET", path, body, "") for body in (b"x", b"{}{}", {"reason": {}}, [])),
        ("GET", "jobs/search", None, "queryString=%00"),
        ("GET", "resources/minimal", None, "sortName=%00"),
        ("PUT", "rba/categories", {"name": "a"}, ""),
        ("PUT", "rba/categories", b"", ""),
    ]
    for verb, place, body, query in asked:
        answer = client.ask(verb, place, body, query)
        assert answer.status == 422, answer.body
        assert [one.keys() for one in json.loads(answer.body)] == [{"code", "fieldName", "message"}]
    assert client.ask("POST", path, {"reason": {}}).status == 400


def test_types_are_those_of_the_list(client: Client) -> None:
    types = client.get("jobs/types")["jobNameAndType"]
    assert len(types) == 14
    assert types[0] == {"jobName": "AD CheckList", "jobtype": "adCheckList"}
    assert types[10] == {"jobName": "Network Configuration Backup", "jobtype": "networkconfigbackup"}
    assert "custom" not in [one["jobtype"] for one in types]


def test_every_listed_type_is_accepted(client: Client) -> None:
    for one in client.get("jobs/types")["jobNameAndType"]:
        made = client.post("jobs", order(script={"jobType": one["jobtype"].upper()}))
        assert made["script"] == {"jobType": one["jobtype"]}


def test_names_that_are_made(client: Client) -> None:
    plain = client.post("jobs", order(name=None, script={"jobType": "appaudit"}))
    assert plain["name"] == "Application Scan"
    custom = client.post("jobs", order(name="  ", script={"customScript": {"id": "7"}}))
    assert custom["name"] == "Job - test script"
    assert custom["script"] == {
        "customScript": {"id": 7, "name": "test script", "description": "test script", "platforms": ["WINDOWS"]}
    }


def test_order_with_a_key_is_carried_out_once(client: Client, hall: Hall) -> None:
    first, again = (client.ask("POST", "jobs", order(), key="k1") for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body)
    assert client.get("jobs/search")["totalResults"] == 1
    assert client.ask("POST", "jobs", order(name="another"), key="k1").status == 409
    path = f"jobs/{client.get('jobs/search')['results'][0]['id']}"
    assert [client.ask("POST", f"{path}/run", key="k2").status for _ in range(2)] == [200, 200]
    assert len(occurrences(hall, client.get(path))) == 1
