"""Conditions: whether something is done when its turn comes: a task, a module of a project, a step of a run book.

A condition is a rule (``core.rules``) about the parameters ``$[Name]``, about how what came before has ended
(``previous``), and, on an agent, about that agent and ``previous.exit_code``. Parameters that hold secrets are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from dispatcher.core import rules
from dispatcher.core.parameters import Parameter
from dispatcher.core.rules import Fields, Rule

#: A condition as definitions have it. ``else`` is ``skip`` or ``fail``.
ConditionDocument = TypedDict("ConditionDocument", {"if": str, "else": str})
#: What is done where a condition was looked at.
Decision = Literal["run", "skip", "fail"]

#: What the conditions of tasks and of modules may ask about.
ON_AGENTS = Fields(frozenset({"name", "os", "address", "previous", "previous.exit_code"}), has_parameters=True)
#: What the conditions of steps may ask about.
OF_STEPS = Fields(frozenset({"previous"}), has_facts=False, has_parameters=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition decides, and why; the reason is empty for ``run``."""

    decision: Decision
    reason: str = ""


def judge(condition: ConditionDocument | None, fields: Fields, facts: rules.Facts) -> Verdict:
    """Return what *condition* decides with *facts*; without a condition everything runs.

    :raises InvalidRule: if the rule is none that is understood here.
    """
    if condition is None or rules.parse(condition["if"], fields).fits(facts):
        return Verdict("run")
    return Verdict("fail" if condition["else"] == "fail" else "skip", f"condition not met: {condition['if']}")


def parameter_facts(parameters: Iterable[Parameter]) -> dict[str, str | bool]:
    """Return the values of *parameters* as a rule asks about them; secrets are not among them."""
    return {f"$[{one.name}]": one.value1 for one in parameters if not one.type.is_secret}


def problems(rule: Rule, declared: Mapping[str, Parameter]) -> list[str]:
    """Return what is wrong with the parameters that *rule* asks about; *declared* are those there are, by name."""
    found = []
    for name in rule.parameters:
        if name not in declared:
            found.append(f"$[{name}] is not declared")
        elif declared[name].type.is_secret:
            found.append(f"$[{name}] is secret: a condition may not ask about it")
    return found
