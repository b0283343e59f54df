"""Team rules: what an agent must be like to belong to a team, such as ``os == "linux" and name startswith "web-"``.

Fields: ``name os address online primary_team console_user last_console_user fact.X``; the grammar is that of
``core.rules``.
"""

from __future__ import annotations

from dispatcher.core import rules
from dispatcher.core.rules import Rule

FIELDS = rules.Fields(
    frozenset({"name", "os", "address", "online", "primary_team", "console_user", "last_console_user"})
)


def parse(text: str) -> Rule:
    """Return the rule in *text*, in time proportional to its length.

    :raises InvalidRule: if it is none.
    """
    return rules.parse(text, FIELDS)
