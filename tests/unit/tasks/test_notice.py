"""Notice: the order comes from the run or from the settings; without one nobody is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.inputs import Input
from dispatcher.tasks import notice
from dispatcher.tasks.notices.asked import Asker
from dispatcher.tasks.notices.desktop import NoDesktop
from dispatcher.tasks.notices.files import Answer
from dispatcher.tasks.notices.order import NoticeOrder
from dispatcher.tasks.work import TaskFailed

AT_ONCE = NoticeOrder(message="Patch $[A] comes.", within_min=0)


class Replies(Asker):
    """Answers as it was told to, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.reply = answer
        self.asked: list[tuple[str, NoticeOrder]] = []

    def ask(self, tools: Any, about: Any, order: NoticeOrder, settings: Any) -> Answer:
        self.asked.append((about, order))
        return self.reply


@pytest.fixture
def kind() -> notice.NoticeTask:
    return notice.NoticeTask(Asker(NoDesktop()))


def test_without_a_notice_nobody_is_told(workshop: Any, kind: Any) -> None:
    for value in (None, ""):
        workshop.inputs = [Input("notice.restart", AT_ONCE.model_dump()), Input("notice.deployment", value)]
        assert workshop.do(kind, {}) == "nobody is told"
    assert not (workshop.work.parent / "notices").exists()


@pytest.mark.parametrize("value", [AT_ONCE.model_dump(mode="json"), AT_ONCE.model_dump_json()])
def test_the_notice_of_the_run_is_told_as_it_is(workshop: Any, kind: Any, value: Any, capsys: Any) -> None:
    workshop.inputs = [Input("notice.deployment", value)]
    assert workshop.do(kind, {"notice": {"message": "another"}}) == ""
    assert "# notice deployment: Patch $[A] comes.\n" in capsys.readouterr().out


def test_the_notice_of_the_settings_has_its_references_filled_in(workshop: Any, kind: Any, capsys: Any) -> None:
    workshop.do(kind, {"notice": AT_ONCE.model_dump()}, PARAM_A="$[B]")
    assert "# notice deployment: Patch $[B] comes.\n" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["{", json.dumps({"message": "x", "allow_cancel": "?"}), {"message": 5}, 7, ["x"]])
def test_an_input_that_is_no_notice_fails_the_task(workshop: Any, kind: Any, value: Any) -> None:
    workshop.inputs = [Input("notice.deployment", value)]
    with pytest.raises(TaskFailed, match=r"the input notice\.deployment is no notice: "):
        workshop.do(kind, {})


def test_canceled_it_fails(workshop: Any) -> None:
    asker = Replies(Answer.CANCEL)
    with pytest.raises(TaskFailed, match=r"^canceled by the user$"):
        workshop.do(notice.NoticeTask(asker), {"notice": AT_ONCE.model_dump()}, PARAM_A="7")
    assert asker.asked == [("deployment", AT_ONCE.model_copy(update={"message": "Patch 7 comes."}))]


def test_notice_settings(kind: Any) -> None:
    settings = kind.Settings.model_validate({"notice": {"message": "Patch $[A]\ncomes"}})
    assert kind.summary(settings) == "Patch $[A]"
    assert [str(one) for one in kind.references(settings)] == ["$[A]"]
    assert kind.summary(kind.Settings()) == "tell the user, if the job has a notice"
    for wrong in ({"snooze_min": 0}, {"notice": {}}, {"notice": {"message": "x", "within_min": -1}}, {"inputs": 1}):
        with pytest.raises(ValidationError):
            kind.Settings.model_validate(wrong)
