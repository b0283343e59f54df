"""Restart if needed: never without need, never without leave, and told before where the run has a notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.services import builtin
from dispatcher.tasks.notices.asked import Asker
from dispatcher.tasks.notices.files import Answer
from dispatcher.tasks.notices.order import NoticeOrder
from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.restarts import System
from dispatcher.tasks.restart_if_needed import RestartIfNeeded
from dispatcher.tasks.work import TaskFailed

HARMLESS = {"command": "touch restarted"}
NOTICE = Input("notice.restart", NoticeOrder(message="It restarts.").model_dump(mode="json"))


class Replies(Asker):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.reply = answer
        self.told: list[str] = []

    def ask(self, tools: Any, about: Any, order: NoticeOrder, settings: Any) -> Answer:
        assert not (tools.work / "restarted").exists()
        self.told.append(f"{about}: {order.message}")
        return self.reply


@pytest.fixture
def asker() -> Replies:
    return Replies(Answer.NOW)


@pytest.fixture
def kind(asker: Replies, tmp_path: Path) -> RestartIfNeeded:
    return RestartIfNeeded(asker, System(tmp_path))


def is_restarted(workshop: Any) -> bool:
    return bool((workshop.work / "restarted").exists())


def test_where_no_restart_is_needed_none_is_done(workshop: Any, kind: Any, asker: Replies) -> None:
    workshop.allows_power = True
    workshop.inputs = [NOTICE]
    assert workshop.do(kind, HARMLESS) == "no restart is needed"
    assert asker.told == []
    assert not is_restarted(workshop)


def test_what_a_package_has_noted_restarts_after_the_notice(
    workshop: Any, kind: Any, asker: Replies, capsys: Any
) -> None:
    workshop.allows_power = True
    workshop.inputs = [NOTICE]
    restarts.note(workshop.work.parent, "demo: exit code 3010")
    assert workshop.do(kind, HARMLESS) == "reboot ordered"
    assert asker.told == ["restart: It restarts."]
    assert is_restarted(workshop)
    assert "# a restart is needed: demo: exit code 3010\n" in capsys.readouterr().out


def test_without_a_notice_nobody_is_told(workshop: Any, kind: Any, asker: Replies) -> None:
    workshop.allows_power = True
    restarts.note(workshop.work.parent, "x")
    workshop.do(kind, HARMLESS)
    assert asker.told == []
    assert is_restarted(workshop)


def test_what_the_system_needs_by_itself_counts_unless_the_settings_say_otherwise(workshop: Any, kind: Any) -> None:
    workshop.allows_power = True
    (workshop.work.parent / "run").mkdir()
    (workshop.work.parent / "run/reboot-required").write_text("*** System restart required ***\n")
    assert workshop.do(kind, {**HARMLESS, "ask_system": False}) == "no restart is needed"
    assert not is_restarted(workshop)
    assert workshop.do(kind, HARMLESS) == "reboot ordered"
    assert is_restarted(workshop)


def test_a_deployment_restarts_only_for_what_it_has_installed(workshop: Any, kind: Any) -> None:
    modules = yaml.safe_load(Path(builtin.__file__).with_name("builtin.yaml").read_text())["modules"]
    (task,) = [task for module in modules for task in module["tasks"] if task["type"] == kind.name]
    workshop.allows_power = True
    (workshop.work.parent / "run").mkdir()
    (workshop.work.parent / "run/reboot-required").write_text("since yesterday")
    assert workshop.do(kind, {**task["settings"], **HARMLESS}) == "no restart is needed"
    assert not is_restarted(workshop)
    restarts.note(workshop.work.parent, "demo: exit code 3010")
    assert workshop.do(kind, {**task["settings"], **HARMLESS}) == "reboot ordered"
    assert is_restarted(workshop)


def test_canceled_it_says_that_a_restart_is_still_needed(workshop: Any, kind: Any, asker: Replies) -> None:
    workshop.allows_power = True
    workshop.inputs = [NOTICE]
    asker.reply = Answer.CANCEL
    restarts.note(workshop.work.parent, "x")
    assert workshop.do(kind, HARMLESS) == "canceled by the user: a restart is still needed"
    assert not is_restarted(workshop)


def test_an_agent_that_may_not_restart_tells_nobody_and_fails(workshop: Any, kind: Any, asker: Replies) -> None:
    workshop.inputs = [NOTICE]
    restarts.note(workshop.work.parent, "x")
    with pytest.raises(TaskFailed, match=r"refused by policy: .* --allow-power"):
        workshop.do(kind, HARMLESS)
    assert asker.told == []
    assert not is_restarted(workshop)


def test_an_order_that_the_system_refuses_fails(workshop: Any, kind: Any) -> None:
    workshop.allows_power = True
    restarts.note(workshop.work.parent, "x")
    with pytest.raises(TaskFailed, match="refused: exit code 4"):
        workshop.do(kind, {"command": "exit 4"})


def test_restart_settings(kind: Any) -> None:
    settings = kind.Settings.model_validate({"delay_s": 120, "message": "$[M]", "notice": {"message": "^[N]"}})
    assert kind.summary(settings) == "if needed: reboot in 2 min"
    assert {str(one) for one in kind.references(settings)} == {"$[M]", "^[N]"}
    with pytest.raises(InvalidValue, match="single quotes"):
        kind.references(kind.Settings.model_validate({"command": "echo '$[A]'"}))
