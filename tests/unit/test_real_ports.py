"""The real ports: ids."""

from __future__ import annotations

import pickle
from uuid import UUID, SafeUUID

from dispatcher.real_ports import new_id


def test_ids_are_usual_ones_and_sorted_by_when_they_were_made() -> None:
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(set(ids))
    for one in ids:
        usual = UUID(str(one))
        assert (one, hash(one), one.version, one.is_safe) == (usual, hash(usual), 7, SafeUUID.unknown)
        assert pickle.loads(pickle.dumps(one)) == usual
