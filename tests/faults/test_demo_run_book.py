"""The run book of the sample library on a real server and agent: a group, and an output for the step after it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

COMPLETED = 4


def test_the_output_of_a_step_in_a_group_reaches_the_step_after_it(start_server: Callable[..., Any]) -> None:
    server = start_server("--demo")
    server.wait_for_agents(1)
    (book,) = [what for what in server.get("what/runbooks").json() if what["Name"] == "Compare and note"]

    job = server.schedule(book["ID"], [], What=[{"ID": book["ID"], "Type": 2}])

    assert server.wait_for_end(job) == COMPLETED
    jobs = {one["Description"]: one for one in server.get("jobs?runbookjobs=True").json()["Items"]}
    assert jobs.keys() == {"Compare and note", "compute a checksum", "look at the disk", "note it"}
    assert {one["Status"]["Type"] for one in jobs.values()} == {COMPLETED}
    noted = {one["Name"]: one["Value1"] for one in jobs["note it"]["Parameters"][0]["JobParameters"]}
    assert re.fullmatch(r"The sha256 checksum is [0-9a-f]{64}\.", noted["Line"])
