"""Runs in a slot: conditions, further attempts, and values on their way from task to task and module to module."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dispatcher.agents.protocol import Condition, Retry, Value
from dispatcher.agents.slot_messages import Abort, Do, Go
from dispatcher.core.inputs import Input
from dispatcher.core.parameters import ParameterType

PASSWORD, CREDENTIALS, LIST = ParameterType.PASSWORD, ParameterType.CREDENTIALS, ParameterType.LIST


@pytest.fixture
def gateway(shared_gateway):
    return shared_gateway


@pytest.fixture
def agent(shared_agent):
    return shared_agent


@pytest.fixture
def done(gateway, agent):
    """Has an order done; returns the end of the run, and those of its tasks."""

    def do(order):
        gateway.order(order)
        end = gateway.finished(order.run_id)
        return end, gateway.of(order.run_id, "task_finished")

    return do


def task(command: str, rule: str = "", otherwise: str = "skip", **more) -> dict:
    condition = Condition(rule=rule, otherwise=otherwise) if rule else None
    return {"settings": {"command": command}, "condition": condition, **more}


def retry(times: int, delay_s: float = 0.01, factor: float = 2, max_delay_s: float = 300) -> Retry:
    return Retry(times=times, delay_s=delay_s, factor=factor, max_delay_s=max_delay_s)


def out(line: str) -> str:
    return f'echo "{line}" >> "$DISPATCHER_OUTPUT"'


def output(name: str, value: str = "", **more) -> Value:
    return Value(name=name, value=value, is_output=True, **more)


@pytest.mark.parametrize(
    ("rule", "runs"),
    [
        ('os == "linux" and name == "pc-1" and fact.site == "north"', True),
        ('fact.site == "south"', False),
        ('$[Level] == "high"', True),
        ("$[Size] >= 10 and $[Size] < 10.5", True),
        ("$[Level] > 1", False),
        ('previous == "failed" and previous.exit_code == 3', True),
        ('previous == "completed"', False),
    ],
)
def test_condition_decides_when_its_turn_comes(done, an_order, rule, runs) -> None:
    values = Value(name="Level", value="high"), Value(name="Size", value="10")
    _, (_, second) = done(an_order(task("exit 3", on_error="continue"), task("true", rule), values=values))
    assert second.state == ("completed" if runs else "skipped")
    assert second.message == ("" if runs else f"condition not met: {rule}")


def test_condition_sees_what_an_earlier_task_has_set(done, an_order) -> None:
    first, second = task(out("Level=high")), task("true", '$[Level] == "high"')
    end, tasks = done(an_order(first, second, values=(Value(name="Level", value="low"),)))
    assert [one.state for one in tasks] == ["completed", "completed"]
    assert end.state == "completed"


def test_skipped_task_has_never_started(gateway, done, an_order) -> None:
    order = an_order(task("true", 'previous != ""'), task("true", 'previous == "skipped"'))
    end, tasks = done(order)
    assert [one.state for one in tasks] == ["skipped", "completed"]
    assert [one.position for one in gateway.of(order.run_id, "task_started")] == [1]
    assert end.state == "completed"


def test_run_in_which_everything_was_skipped_is_skipped(done, an_order) -> None:
    end, _ = done(an_order(task("true", "false"), task("true", "false")))
    assert end.state == "skipped"


@pytest.mark.parametrize(
    ("on_error", "second", "state"), [("stop", "skipped", "failed"), ("continue", "completed", "completed_with_errors")]
)
def test_condition_may_fail_the_task(done, an_order, on_error, second, state) -> None:
    end, tasks = done(an_order(task("true", "false", "fail", on_error=on_error), task("true")))
    assert [one.state for one in tasks] == ["failed", second]
    assert tasks[0].message == "condition not met: false"
    assert end.state == state


def test_condition_that_is_not_understood_fails_the_task(done, an_order) -> None:
    _, (only,) = done(an_order(task("true", 'colour == "red"')))
    assert (only.state, "column 1" in only.message) == ("failed", True)


@pytest.mark.parametrize(
    ("otherwise", "states", "state"),
    [
        ("skip", ["completed", "skipped", "skipped", "completed"], "completed"),
        ("fail", ["completed", "failed", "skipped", "skipped"], "stopped"),
    ],
)
def test_condition_of_a_module_is_one_for_all_its_tasks(done, an_order, otherwise, states, state) -> None:
    order = an_order(*["true"] * 4, modules=3)
    for one, module in zip(order.tasks, [0, 1, 1, 2], strict=True):
        one.module = module
    order.scopes = [[Value(name="Level", value="low")]]
    order.modules[1].condition = Condition(rule='$[Level] == "high" or previous == "failed"', otherwise=otherwise)
    end, tasks = done(order)
    assert [one.state for one in tasks] == states
    assert end.state == state


def test_task_is_tried_again_until_it_completes(gateway, done, an_order, tmp_path) -> None:
    counting = f"echo x >> {tmp_path}/tries; printf 'try'; [ $(wc -l < {tmp_path}/tries) -eq 3 ] || exit 3"
    order = an_order(task(counting, retry=retry(5)))
    end, (only,) = done(order)
    assert (end.state, only.state, only.attempts, only.exit_code) == ("completed", "completed", 3, 0)
    assert only.message == "attempt 3 of 6"
    assert gateway.output(order.run_id) == b"try\n--- attempt 2 of 6 ---\ntry\n--- attempt 3 of 6 ---\ntry"


def test_every_attempt_has_the_whole_time(done, an_order) -> None:
    _, (only,) = done(an_order(task("sleep 60", timeout_s=0.2, retry=retry(1))))
    assert (only.state, only.attempts) == ("timed_out", 2)
    assert only.message == "attempt 2 of 2: not done after 0.2 s"
    assert len(only.killed) >= 2


def test_pauses_grow_up_to_a_limit(done, an_order, tmp_path) -> None:
    order = an_order(task(f"date +%s.%N >> {tmp_path}/at; false", retry=retry(3, 0.2, factor=30, max_delay_s=0.5)))
    _, (only,) = done(order)
    at = [float(line) for line in (tmp_path / "at").read_text().split()]
    pauses = [after - before for before, after in itertools.pairwise(at)]
    assert (only.attempts, only.message) == (4, "attempt 4 of 4: exit code 1")
    assert [pause >= wanted for pause, wanted in zip(pauses, [0.2, 0.5, 0.5], strict=True)] == [True] * 3
    assert max(pauses) < 5  # not 6, as without a limit


def test_what_a_failed_attempt_has_set_counts_for_nothing(done, an_order, tmp_path) -> None:
    once = f"[ -e {tmp_path}/second ] || {{ touch {tmp_path}/second; {out('Level=first')}; exit 1; }}"
    order = an_order(task(once, retry=retry(1)), values=(Value(name="Level", value=""),))
    _, (only,) = done(order)
    assert (only.state, only.outputs) == ("completed", {})


def test_abort_in_the_pause_ends_at_once(gateway, done, an_order) -> None:
    order = an_order(task("echo tried; exit 3", retry=retry(3, 300)), "true")
    gateway.order(order)
    gateway.wait(lambda: gateway.output(order.run_id))
    time.sleep(0.3)
    started = time.monotonic()
    gateway.abort(order.run_id)
    assert gateway.finished(order.run_id).state == "aborted"
    assert time.monotonic() - started < 5
    only = gateway.of(order.run_id, "task_finished")[0]
    assert (only.state, only.attempts) == ("aborted", 1)
    assert only.message == "attempt 1 of 4: exit code 3; aborted before the next"


def test_all_types_reach_later_tasks_and_the_dispatcher(gateway, done, an_order) -> None:
    lines = "Text=a=b\nLines<<EOF\none\n\ntwo=2\nEOF\nChoice=high\nWord=s3cret-word\nLogin=me\n"
    lines += "Login.password=s3cret-pass\nLocal=inside\n"
    order = an_order(
        f"cat >> $DISPATCHER_OUTPUT <<'THE_END'\n{lines}THE_END\n",
        'echo "$[Text]|$[Lines]|$[Choice]|$[Word]|$[Login]|$PARAM_Login_PASSWORD|$[Local]"',
        values=(
            output("Text"),
            output("Lines", type=ParameterType.MULTILINE),
            output("Choice", "low", type=LIST, choices=["low", "high"]),
            output("Word", type=PASSWORD),
            output("Login", password="", type=CREDENTIALS),
            Value(name="Local", value=""),
            output("Untouched", "as it was"),
        ),
        scopes=[None],
    )
    end, tasks = done(order)
    assert end.state == "completed"
    shown = {"Text": "a=b", "Lines": "one\n\ntwo=2", "Choice": "high", "Word": "********", "Login": "me"}
    assert tasks[0].outputs == {**shown, "Local": "inside"}
    assert gateway.output(order.run_id, 1) == b"a=b|one\n\ntwo=2|high|********|me|********|inside\n"
    [given] = end.outputs
    assert {one.name: one.value for one in given} == {**shown, "Word": "s3cret-word"}
    assert [one.password for one in given if one.name == "Login"] == ["s3cret-pass"]


def test_later_task_gets_a_new_secret_in_the_clear(done, an_order) -> None:
    order = an_order(out("Word=new"), 'test "$[Word]" = new', values=(Value(name="Word", value="", type=PASSWORD),))
    assert done(order)[0].state == "completed"


def test_value_that_is_no_choice_fails_the_task_and_changes_nothing(done, an_order) -> None:
    order = an_order(
        task(f"{out('Level=medium')}; {out('Other=1')}", on_error="continue"),
        'test "$[Level]$[Other]" = low',
        values=(output("Level", "low", type=LIST, choices=["low", "high"]), output("Other")),
        scopes=[None],
    )
    end, tasks = done(order)
    assert [one.state for one in tasks] == ["failed", "completed"]
    assert "'medium' is none of low, high" in tasks[0].message
    assert end.outputs == [[]]


def test_new_secret_is_masked_from_then_on(gateway, agent, done, an_order) -> None:
    order = an_order(
        out("Word=brand-new-secret"),
        task("echo brand-new-secret", settings={"command": "echo brand-new-secret", "directory": "/$[Word]"}),
        values=(Value(name="Word", value="", type=PASSWORD),),
    )
    done(order)
    assert "/********" in gateway.of(order.run_id, "task_finished")[1].message
    assert "brand-new-secret" not in repr(gateway.events) + agent.log.read_text()
    assert (agent.home / "spool.log").stat().st_mode & 0o777 == 0o600


def a_project(an_order, *commands: str, scope: list[Value]):
    """Return an order for a project: a module for each command, its parameter Line linked to the project's Text."""
    order = an_order(*commands, values=(output("Line", "unlinked"),), modules=len(commands), scopes=[scope])
    for module in order.modules:
        module.links, module.get = {"Line": "<$[Text]>"}, {"Line": "Text"}
    return order


def test_values_go_from_module_to_module_through_the_project(gateway, done, an_order) -> None:
    order = a_project(an_order, f"echo $[Line]; {out('Line=new')}", "echo $[Line]", scope=[output("Text", "old")])
    end, _ = done(order)
    assert gateway.output(order.run_id, 0) == b"<old>\n"
    assert gateway.output(order.run_id, 1) == b"<new>\n"
    assert [[(one.name, one.value) for one in given] for given in end.outputs] == [[("Text", "<new>")]]


def a_choice(name: str, value: str = "low") -> Value:
    return output(name, value, type=LIST, choices=["low", "high"])


def test_value_that_is_no_choice_of_the_project_ends_the_run_with_the_module(gateway, done, an_order) -> None:
    order = a_project(an_order, out("Line=medium"), "echo never", scope=[a_choice("Text")])
    for module in order.modules:
        module.links = {}
    end, tasks = done(order)
    assert [one.state for one in tasks] == ["completed", "skipped"]
    assert (end.state, end.reason) == ("failed", "module module 0: Parameters/Text: 'medium' is none of low, high")
    assert gateway.output(order.run_id, 1) == b""
    assert end.outputs == [[]]


def test_reason_for_that_has_no_secret_in_it(done, an_order) -> None:
    order = a_project(an_order, out("Line=$PARAM_Word"), scope=[a_choice("Text")])
    order.modules[0].links = {}
    order.modules[0].values.append(Value(name="Word", value="s3cret-word", type=PASSWORD))
    end, _ = done(order)
    assert end.reason == "module module 0: Parameters/Text: '********' is none of low, high"


@pytest.mark.parametrize(("on_error", "second"), [("stop", "skipped"), ("continue", "completed")])
def test_value_that_is_no_choice_of_the_module_fails_it(gateway, done, an_order, on_error: str, second: str) -> None:
    order = a_project(an_order, "echo never", "true", scope=[Value(name="Text", value="medium")])
    order.tasks[0].on_error = on_error
    order.modules[0].values, order.modules[1].links, order.modules[1].get = [a_choice("Line")], {}, {}
    order.modules[0].links = {"Line": "$[Text]"}
    end, tasks = done(order)
    assert [one.state for one in tasks] == ["failed", second]
    assert tasks[0].message == "Parameters/Line: 'medium' is none of low, high"
    assert end.state == ("stopped" if on_error == "stop" else "completed_with_errors")
    assert gateway.output(order.run_id, 0) == b""


def test_module_that_is_skipped_needs_no_right_value(done, an_order) -> None:
    order = a_project(an_order, "echo never", scope=[Value(name="Text", value="medium")])
    order.modules[0].values = [a_choice("Line")]
    order.modules[0].condition = Condition(rule="false")
    _, tasks = done(order)
    assert [one.state for one in tasks] == ["skipped"]


def test_run_that_gives_out_too_much_has_failed(done, an_order) -> None:
    values = tuple(output(f"P{number}") for number in range(5))
    large = [
        f"printf 'P{number}=' > $DISPATCHER_OUTPUT; head -c 120000 /dev/zero | tr '\\0' x >> $DISPATCHER_OUTPUT"
        for number in range(5)
    ]
    order = an_order(*large, values=values, modules=5, scopes=[None] * 5)
    for what, module in enumerate(order.modules):
        module.what = what
    end, tasks = done(order)
    assert [one.state for one in tasks] == ["completed"] * 5
    assert (end.state, end.reason, end.outputs) == ("failed", "gives out more than 524288 bytes", [])


def test_module_that_was_skipped_gives_nothing(gateway, done, an_order) -> None:
    order = a_project(an_order, "true", "echo $[Line]", scope=[Value(name="Text", value="old")])
    order.modules[0].condition = Condition(rule="false")
    end, _ = done(order)
    assert gateway.output(order.run_id, 1) == b"<old>\n"
    assert end.outputs == [[]]


def test_objects_of_a_job_have_values_of_their_own(gateway, done, an_order) -> None:
    order = a_project(an_order, out("Line=new"), "echo $[Line]", scope=[output("Text", "one")])
    order.scopes.append([output("Text", "two")])
    order.modules[1].what = 1
    end, _ = done(order)
    assert gateway.output(order.run_id, 1) == b"<two>\n"
    assert [[one.value for one in given] for given in end.outputs] == [["new"], ["<two>"]]


def test_secret_made_of_a_secret_is_masked(gateway, done, an_order) -> None:
    order = a_project(an_order, "echo $[Line] x", scope=[Value(name="Text", value="abc", type=PASSWORD)])
    order.modules[0].values[0].type = PASSWORD
    done(order)
    assert gateway.output(order.run_id) == b"******** x\n"


@pytest.mark.parametrize("is_begun", [False, True])
def test_abort_that_comes_along_with_the_start_is_heard(an_order, tmp_path: Path, is_begun) -> None:
    order = an_order(f"touch {tmp_path}/begun; sleep 60")
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "dispatcher.agents.slot", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as slot:
        assert slot.stdin is not None
        assert slot.stdout is not None
        do = Do(order=order, facts={}, is_begun=is_begun)
        slot.stdin.write(do.model_dump_json().encode() + b"\n")
        kinds = [] if is_begun else [json.loads(slot.stdout.readline())["kind"]]
        together = [Go(run_id=order.run_id, position=0), Abort(run_id=order.run_id, reason="why not")]
        slot.stdin.write(b"".join(message.model_dump_json().encode() + b"\n" for message in together))
        ends = [json.loads(slot.stdout.readline()) for _ in range(2)]
        slot.stdin.close()
    assert kinds == ([] if is_begun else ["task_started"])
    assert [end["kind"] for end in ends] == ["task_finished", "run_finished"]
    assert [end["state"] for end in ends] == ["aborted", "aborted"]
    assert ends[1]["reason"] == "why not"
    assert not (tmp_path / "begun").exists()


def test_task_that_fails_before_its_start_is_on_disk_waits_for_that(an_order, tmp_path: Path) -> None:
    order = an_order({"type": "nonsense", "settings": {}, "retry": retry(1)})
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "dispatcher.agents.slot", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as slot:
        assert slot.stdin is not None
        assert slot.stdout is not None
        for message in Do(order=order, facts={}, is_begun=True), Abort(run_id=order.run_id):
            slot.stdin.write(message.model_dump_json().encode() + b"\n")
        ends = [json.loads(slot.stdout.readline()) for _ in range(2)]
        slot.stdin.close()
    assert [end["state"] for end in ends] == ["aborted", "aborted"]


def test_only_what_tasks_have_fetched_goes_beside_the_output(done, gateway, an_order) -> None:
    forged = "head -c 80 /dev/zero > $(dirname $DISPATCHER_OUTPUT)/fetched; echo out"
    order = an_order(task(forged), {"type": "ssh_fetch", "settings": {"command": "show"}, "on_error": "continue"})
    end, (first, second) = done(order)
    assert (first.state, second.state) == ("completed", "failed")
    assert end.fetched == []
    assert gateway.of(order.run_id, "fetched") == []


def test_secret_inputs_are_masked_and_known_to_no_task_that_takes_none(gateway, done, an_order) -> None:
    secret = 'to"p\nthe second line is long'
    inputs = [Input("a", secret, is_secret=True), Input("b", "shown")]
    said = task(r"""printf '%s\n' 'to\"p\nthe second line is long' 'the second line is long, shown'""")
    order = an_order(said, task("env; cat ../scratch/*/* 2> /dev/null; true"), inputs=inputs)
    end, _ = done(order)
    first, second = (gateway.output(order.run_id, position) for position in range(2))
    assert (end.state, first) == ("completed", b"********\n********, shown\n")
    assert b"shown" not in second


def test_inputs_say_what_must_not_show() -> None:
    key = "{\n0123456789abcdef\n}"
    assert list(Input("a", key, is_secret=True).secrets()) == [key, "0123456789abcdef"]
    assert list(Input("a", key).secrets()) == []
