"""The figure of records beside plain inserts, at a size that says nothing of the cost."""

from __future__ import annotations

from pathlib import Path

from bench import records


def test_what_a_request_stores_is_what_is_inserted_plainly(tmp_path: Path) -> None:
    with records._subject(tmp_path / "m12") as subject:
        assert subject.turn(subject.register, 8).rows == 8 * 3 + 1  # the record, its unique value, its history; audit
        turn = subject.turn(subject.apply, 4)
        assert turn.rows > 3 * 4 * 3
        assert subject._new_rows() == {}
