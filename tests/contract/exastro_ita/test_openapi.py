"""The description of the API: what maintenance mode stops has its answer there, and nothing else has."""

from __future__ import annotations

from exastro_client import HOST, Ita

from dispatcher.bindings.exastro_ita.binding import build
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.quotas import Quotas

#: The other variables of paths.
OTHERS = ("menu", "run", "node", "uuid", "column", "realm")
#: What is stopped, and with which code.
STOPPED = {
    ("post", "menu/{menu}/maintenance/all"): "498-00001",
    ("post", "menu/{menu}/maintenance"): "498-00001",
    ("patch", "menu/{menu}/maintenance/{uuid}"): "498-00001",
    ("post", "apply"): "498-00001",
    ("post", "menu/{menu}/conductor/execute"): "498-00006",
    ("patch", "menu/{menu}/conductor/{run}/cancel"): "498-00007",
    ("patch", "menu/{menu}/conductor/{run}/scram"): "498-00008",
    ("patch", "menu/{menu}/conductor/{run}/node/{node}/relese"): "498-00009",
}


def test_what_maintenance_mode_stops_says_so(ita: Ita, hall: Hall) -> None:
    described = document(build(hall, log=lambda *_, **__: None, quotas=Quotas()))
    hall.settings.set("exastro_ita.maintenance_mode", "ON", SYSTEM)
    stopped = {}
    for path, item in described["paths"].items():
        for verb, operation in item.items():
            url = HOST + path.format_map({"organization": "org9", "workspace": "ws2"} | dict.fromkeys(OTHERS, "x"))
            answer = ita.call(verb.upper(), url, {} if "requestBody" in operation else None)
            assert ("498" in operation["responses"]) == (answer.status_code == 498), path
            if answer.status_code == 498:
                name = operation["responses"]["498"]["$ref"].rpartition("/")[2]
                shown = described["components"]["responses"][name]["content"]["application/json"]["example"]
                stopped[verb, path.partition("/ita/")[2]] = answer.json()["result"]
                assert {**answer.json(), "ts": ""} == {**shown, "ts": ""}
    assert stopped == STOPPED
