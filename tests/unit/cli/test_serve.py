"""The server says where it is found."""

from __future__ import annotations

import pytest

from dispatcher.cli import serve
from dispatcher.serving import Addresses


def test_server_that_is_ready_shows_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    web = "http://127.0.0.1:8080"
    serve._show(Addresses(web, "http://127.0.0.1:3163", f"{web}/S", f"{web}/R", {"ccs": "https://127.0.0.1:12431"}))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"Dispatcher serves clients at {web} and agents at http://127.0.0.1:3163"
    assert [line.split() for line in shown[1:]] == [
        ["ccs", "https://127.0.0.1:12431"],
        ["help", f"{web}/S/help"],
        [f"{web}/R/help"],
        ["WSDL", f"{web}/S?wsdl"],
        ["APIs", f"{web}/docs/"],
    ]
