"""Translation between what the services tell and the messages of the contract."""

from __future__ import annotations

from typing import Any

from dispatcher.services.exastro_ita.maintenance import Changed
from dispatcher.services.exastro_ita.records import Action

#: The actions in the order in which answers count them.
_COUNTED = (Action.REGISTER, Action.UPDATE, Action.RESTORE, Action.DISCARD, Action.DELETE)


def to_wire_counts(changed: Changed) -> dict[str, Any]:
    """Return how many records were changed in which way, and the ids of all of them."""
    counts = {action.value: changed.counts.get(action, 0) for action in _COUNTED}
    return {**counts, "IdList": [str(key) for key in changed.ids]}
