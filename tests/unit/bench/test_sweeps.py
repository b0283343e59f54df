"""The discoveries of the benchmark: real ones, on loopback, and a computer that is missed ends the run."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from needed import missing

from dispatcher.tasks.discovering.icmp import NotPermitted, open_socket

if sys.platform != "linux":
    pytest.skip("the benchmark is for Linux", allow_module_level=True)

from bench import sweeps
from bench.figures import Figure


@pytest.fixture(autouse=True)
def _may_ping() -> None:
    try:
        open_socket(socket.AF_INET).close()
    except NotPermitted:
        missing("the right to send echo requests")


def test_discoveries_are_measured_beside_their_peers(tmp_path: Path) -> None:
    figure = sweeps.run(tmp_path, 1, 3, 40, 2_000)
    counted = {series.name: series.rounds[0].requests for series in figure.series}
    assert counted["Dispatcher, all options"] == counted["a loop of ping and connect"] == 3
    assert counted["Dispatcher, ping, 2000 a second"] == 40
    assert all(series.median("per_second") > 0 for series in figure.series)
    assert len(figure.verdicts) >= 2
    assert "127.3.0.39\tFound" in "".join(file.read_text() for file in tmp_path.rglob("said"))


def test_a_computer_that_was_missed_ends_the_run() -> None:
    ended = sweeps._Ended(1.0, 0.5, 10.0, found=3)
    with pytest.raises(RuntimeError, match="us: 3 of 4 were found"):
        sweeps._compare(Figure("M13", ""), 4, 1, {"us": lambda: ended})
