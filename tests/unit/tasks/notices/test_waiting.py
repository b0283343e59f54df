"""Waiting: what is told begins when its time has come or the user says so, and never if that is canceled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from dispatcher.tasks.notices.desktop import Viewer
from dispatcher.tasks.notices.files import Answer
from dispatcher.tasks.notices.order import NoticeOrder
from dispatcher.tasks.notices.waiting import Asking

TEN_MIN = timedelta(minutes=10)


def order(**more: Any) -> NoticeOrder:
    return NoticeOrder(message="An update comes.", **{"within_min": 60, "allow_cancel": True, **more})


def ask(asking: Asking, snooze: timedelta = TEN_MIN, **more: Any) -> Answer:
    return asking.ask("task-1", "deployment", order(**more), snooze)


def answer(asking: Asking, word: Answer) -> None:
    [notice] = asking.notices.waiting()
    asking.notices.answer(notice, word)


def test_who_says_nothing_has_agreed_when_the_time_is_over(asking: Asking, clock: Any, said: list[str]) -> None:
    assert ask(asking) is Answer.NOW
    assert clock.passed_s == 3600
    assert said[-1] == "# the time is over"


def test_an_answer_on_the_command_line_is_obeyed(asking: Asking, clock: Any, said: list[str]) -> None:
    clock.at(90, lambda: answer(asking, Answer.NOW))
    assert ask(asking) is Answer.NOW
    assert clock.passed_s == pytest.approx(90, abs=1)
    assert said[-1].startswith("# now by ")


def test_an_answer_on_the_desktop_is_obeyed(asking: Asking, clock: Any, desktop: Any, said: list[str]) -> None:
    clock.at(5, lambda: setattr(desktop, "chosen", Answer.CANCEL))
    assert ask(asking) is Answer.CANCEL
    assert said[-1] == "# cancel by anna"
    assert desktop.seen == [(0, "shown to anna"), (5, "closed")]


def test_snoozed_it_is_shown_again_and_the_deadline_stays(asking: Asking, clock: Any, desktop: Any) -> None:
    for moment in (0, 660, 3500):
        clock.at(moment, lambda: setattr(desktop, "chosen", Answer.SNOOZE))
    assert ask(asking) is Answer.NOW
    assert clock.passed_s == 3600
    assert [(round(at), what) for at, what in desktop.seen] == [
        (0, "shown to anna"),
        (0, "closed"),
        (600, "shown to anna"),
        (660, "closed"),
        (1260, "shown to anna"),
        (3500, "closed"),
    ]


def test_what_is_snoozed_can_still_be_canceled(asking: Asking, clock: Any) -> None:
    clock.at(1, lambda: answer(asking, Answer.SNOOZE))
    clock.at(10, lambda: answer(asking, Answer.CANCEL))
    assert ask(asking) is Answer.CANCEL


@pytest.mark.parametrize(("member", "word"), [("allow_cancel", Answer.CANCEL), ("allow_snooze", Answer.SNOOZE)])
def test_what_is_not_allowed_is_not_obeyed(
    asking: Asking, clock: Any, desktop: Any, said: list[str], member: str, word: Answer
) -> None:
    clock.at(5, lambda: answer(asking, word))
    clock.at(9, lambda: setattr(desktop, "chosen", word))
    assert ask(asking, **{member: False}) is Answer.NOW
    assert clock.passed_s == 3600
    assert sum(line.endswith(": not allowed") for line in said) == 2
    assert [what for _, what in desktop.seen] == ["shown to anna", "closed"]


def test_no_time_at_all_is_told_and_begins(asking: Asking, clock: Any, desktop: Any) -> None:
    assert ask(asking, within_min=0) is Answer.NOW
    assert clock.passed_s == 0
    assert desktop.seen == [(0, "told anna")]


def test_where_nothing_can_be_shown_the_output_says_how_to_answer(
    asking: Asking, desktop: Any, said: list[str]
) -> None:
    desktop.can_show = False
    ask(asking)
    assert said[0] == "# notice task-1: An update comes."
    assert f"dispatcher notice now|snooze|cancel --home {asking.home} task-1" in said[1]
    assert said[2] == "# it cannot be shown on a desktop: it stands here and in the log of the agent"
    desktop.here = None
    ask(asking, within_min=0)
    assert said[-2] == said[2]


def test_whoever_comes_later_is_shown_it_too(asking: Asking, clock: Any, desktop: Any) -> None:
    desktop.here = None
    clock.at(100, lambda: setattr(desktop, "here", Viewer("bert")))
    clock.at(200, lambda: setattr(desktop, "here", Viewer("carl")))
    ask(asking)
    assert [what for _, what in desktop.seen] == ["shown to bert", "closed", "shown to carl", "closed"]
    assert desktop.seen[0][0] - 100 <= 15


class Killed(BaseException):
    """As when the process is ended."""


def test_done_again_it_waits_for_the_rest_only(asking: Asking, clock: Any, desktop: Any) -> None:
    def kill() -> None:
        raise Killed

    clock.at(1000, lambda: answer(asking, Answer.SNOOZE))
    clock.at(1200, kill)
    with pytest.raises(Killed):
        ask(asking)
    assert desktop.seen[-1][1] == "closed"
    clock.moment += timedelta(minutes=2)
    desktop.seen.clear()
    assert ask(asking) is Answer.NOW
    assert clock.passed_s == 3600
    assert desktop.seen[0] == (pytest.approx(1600, abs=1), "shown to anna")  # it was snoozed before


def test_another_task_has_a_deadline_of_its_own(asking: Asking, clock: Any) -> None:
    ask(asking)
    assert ask(asking) is Answer.NOW  # it has ended: this is another attempt
    assert clock.passed_s == 7200
    assert list(asking.notices.folder.iterdir()) == []
