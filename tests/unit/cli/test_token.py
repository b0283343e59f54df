"""Tokens by which agents enrol are made at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_token_may_be_one_of_a_team(run: Any, tmp_path: Path) -> None:
    library = tmp_path / "library.yaml"
    library.write_text("teams: [{name: Ring 1}]", "utf-8")
    assert run("library", "import", str(library)).exit_code == 0
    made = run("token", "enrol", "--once", "--team", "ring 1")
    assert (made.exit_code, len(made.stdout.strip())) == (0, 43)
    (entry,) = json.loads(run("audit", "--json", "--action", "token").stdout)
    assert (entry["new"]["once"], entry["new"]["team"][:8]) == (True, "Ring 1 (")
    refused = run("token", "enrol", "--team", "Ring 2")
    assert (refused.exit_code, "no team Ring 2" in refused.output) == (2, True)
