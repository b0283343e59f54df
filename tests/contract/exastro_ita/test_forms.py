"""Records that come as forms, with files beside them, word for word as the seed's curl lines send them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
import requests
from cheap_passwords import cheap_passwords
from exastro_client import BASE, Ita, refusal, told
from werkzeug.test import Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.logins import Logins
from dispatcher.web.app import WebApp
from dispatcher.web.wsgi import wsgi_application
from dispatcher.wire import multipart
from dispatcher.wire.json_api import endpoint

MENU = "menu/playbook_files"
PLAYBOOK = b'- name: run "echo"\n  command: echo {{ VAR_STR_1 }}'
#: Seed, list 2.56, the message of the form; the blank at its end is there.
SAMPLE = (
    '[{"parameter":{"discard":"0","item_no":null,"playbook_name":"echo","playbook_file":"echo.yml","remarks":null,'
    '"last_update_date_time":null,"last_updated_user":null},"type":"Register"}] '
)


def send(ita: Ita, message: str, path: str = "maintenance/all/", *, key: str = "", **files: bytes) -> requests.Response:
    """Send a form as curl does, with another boundary each time; names of files have a dot for two underscores."""
    parts: list[tuple[str, Any]] = [("json_parameters", (None, message))]
    parts += [(name.replace("__", "."), ("echo.yml", data)) for name, data in files.items()]
    named = {"Idempotency-Key": key} if key else {}
    return ita.session.post(f"{BASE}/{MENU}/{path}", files=parts, headers=named)


def stored(ita: Ita) -> Any:
    [found] = ita.get(f"{MENU}/filter/")
    return found["parameter"]["playbook_file"], base64.b64decode(found["file"]["playbook_file"])


def test_the_sample_is_stored_with_its_file(ita: Ita) -> None:
    done = told(send(ita, SAMPLE, **{"0__playbook_file": PLAYBOOK}))
    assert (done["Register"], len(done["IdList"])) == (1, 1)
    assert stored(ita) == ("echo.yml", PLAYBOOK)
    [found] = ita.get(f"{MENU}/filter/?file=no")
    assert found["file"] == {"playbook_file": ""}


def test_the_sample_in_json_is_stored_alike(ita: Ita) -> None:
    content = "LSBuYW1lOiBydW4gImVjaG8iCiAgY29tbWFuZDogZWNobyB7eyBWQVJfU1RSXzEgfX0="
    [record] = json.loads(SAMPLE)
    ita.post(f"{MENU}/maintenance/all/", [{"file": {"playbook_file": content}, **record}])
    assert stored(ita) == ("echo.yml", PLAYBOOK)


def test_the_sample_with_quotes_around_it_is_refused(ita: Ita) -> None:
    quoted = f'"{SAMPLE.strip()}"'
    answer = send(ita, quoted, **{"0__playbook_file": PLAYBOOK})
    kind = (answer.request.headers["Content-Type"] or "").lower()
    assert refusal(answer) == (
        400,
        "400-00003",
        f"リクエストボディのパラメータが不正です (Content-Type:{kind})",
    )
    assert ita.get(f"{MENU}/filter/count/") == 0


def test_one_record_by_itself_may_have_files_as_well(ita: Ita) -> None:
    [record] = json.loads(SAMPLE)
    told(send(ita, json.dumps(record), "maintenance/", playbook_file=PLAYBOOK))
    assert stored(ita) == ("echo.yml", PLAYBOOK)


def test_the_same_key_stores_a_form_once(ita: Ita) -> None:
    file = {"0__playbook_file": PLAYBOOK}
    answers = [send(ita, SAMPLE, key="k-1", **file) for _ in range(2)]
    assert len({answer.request.headers["Content-Type"] for answer in answers}) == 2
    first, second = map(told, answers)
    assert first == second
    assert ita.get(f"{MENU}/filter/count/") == 1
    for other in (
        send(ita, SAMPLE, key="k-1", **{"0__playbook_file": PLAYBOOK + b" "}),
        send(ita, SAMPLE + " ", key="k-1", **file),
        send(ita, SAMPLE, key="k-1", **file, **{"1__playbook_file": PLAYBOOK}),
        ita.call("POST", f"{MENU}/maintenance/all/", SAMPLE, **{"Idempotency-Key": "k-1"}),
    ):
        assert refusal(other)[:2] == (409, "409-00001")
    other = send(ita, SAMPLE.replace("echo", "other"), key="k-2", **file)
    assert told(other)["Register"] == 1


def test_what_a_form_says_is_looked_at_only_for_whoever_may_send_it(
    ita: Ita, datastore: Datastore, ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []

    def digest_of(stream: Any, content_type: str) -> bytes | None:
        looked.append(content_type)
        return multipart.digest_of(stream, content_type)

    monkeypatch.setattr(endpoint, "digest_of", digest_of)
    form: Any = {"files": {"json_parameters": (None, SAMPLE)}, "headers": {"Idempotency-Key": "k-1"}}
    answer = ita.session.post(f"{BASE}/menu/none/maintenance/all/", **form)
    assert (refusal(answer)[:2], looked) == ((499, "499-00002"), [])
    told(send(ita, SAMPLE, key="k-1", **{"0__playbook_file": PLAYBOOK}))
    assert len(looked) == 1
    Logins(datastore, ports, cheap_passwords()).add("ann", "pw", SYSTEM, roles=["Read Only"])
    answer = ita.session.post(f"{BASE}/{MENU}/maintenance/all/", **form, auth=("ann", "pw"))
    assert (refusal(answer)[:2], len(looked)) == ((401, "401-00001"), 1)


@pytest.mark.parametrize(
    ("boundary", "head", "result"),
    [("b" * 71, "", (400, "400-00003")), ("b", "X: y\r\n" * 3_000, (400, "400-00002")), ("b" * 70, "", None)],
)
def test_boundaries_and_heads_of_parts_have_an_end(
    ita: Ita, boundary: str, head: str, result: tuple[int, str] | None
) -> None:
    part = f'{head}Content-Disposition: form-data; name="json_parameters"\r\n\r\n{SAMPLE.replace("echo.yml", "")}'
    body = f"--{boundary}\r\n{part}\r\n--{boundary}--\r\n"
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Idempotency-Key": "k-1"}
    answer = ita.session.post(f"{BASE}/{MENU}/maintenance/all/", data=body, headers=kind)
    assert refusal(answer)[:2] == (result or (499, "499-00201"))  # a playbook needs its file


def test_the_same_key_stores_a_form_once_that_waits_in_a_file(web: WebApp) -> None:
    curl, path = Client(wsgi_application(web)), f"{BASE.removeprefix('https://ita.example.com')}/{MENU}"

    def sent(file: bytes) -> tuple[str, Any]:
        parts = {"json_parameters": (None, SAMPLE + " " * (5 << 20)), "0.playbook_file": ("echo.yml", file)}
        form = requests.Request("POST", "http://h/", files=parts).prepare()
        headers = {**form.headers, "Idempotency-Key": "k-1"}
        answer = curl.post(f"{path}/maintenance/all/", data=form.body, headers=headers).json
        return answer["result"], answer.get("data")

    first = sent(PLAYBOOK)
    assert first[0] == "000-00000"
    assert sent(PLAYBOOK) == first
    assert sent(PLAYBOOK + b" ")[0] == "409-00001"


def test_large_messages_wait_in_a_file_until_they_are_there(
    web: WebApp, ita: Ita, datastore: Datastore, ports: Ports
) -> None:
    curl, base = Client(wsgi_application(web)), BASE.removeprefix("https://ita.example.com")
    padded = f"{SAMPLE}{' ' * (5 << 20)}"
    message = json.dumps([{**json.loads(SAMPLE)[0], "file": {"playbook_file": base64.b64encode(PLAYBOOK).decode()}}])
    answer = curl.post(
        f"{base}/{MENU}/maintenance/all/", data=message + " " * (5 << 20), content_type="application/json"
    )
    assert answer.status_code == 200, answer.text
    assert stored(ita) == ("echo.yml", PLAYBOOK)
    form = requests.Request("POST", "http://h/", files={"json_parameters": (None, padded)}).prepare()
    answer = curl.post(f"{base}/{MENU}/maintenance/all/", data=form.body, headers=dict(form.headers))
    assert (answer.status_code, answer.json["result"]) == (499, "499-00201")  # it is there already, and has no file

    # What is no message with records stays within the limit of all others.
    answer = curl.post(f"{base}/{MENU}/filter/", data=b" " * (5 << 20), content_type="application/json")
    assert (answer.status_code, answer.json["result"]) == (413, "413-00001")
    kind = {"content_type": "application/json"}
    answer = curl.post(f"{base}/{MENU}/maintenance/all/", input_stream=Untouched(65 << 20), **kind)
    assert (answer.status_code, answer.json["result"]) == (413, "413-00001")

    # Of whoever may not change anything none of it is taken.
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("root", "root", SYSTEM)
    logins.add("ann", "pw", SYSTEM, roles=["Read Only"])
    for user, path, status, result in (
        ("ann", f"{MENU}/maintenance/all/", 401, "401-00001"),
        ("ann", "menu/none/maintenance/all/", 499, "499-00002"),
        ("ann", "apply/", 401, "401-00001"),
        ("eve", f"{MENU}/maintenance/all/", 401, "401-00002"),
    ):
        answer = curl.post(f"{base}/{path}", input_stream=Untouched(5 << 20), auth=(user, "pw"), **kind)
        assert (answer.status_code, answer.json["result"]) == (status, result)


class Untouched(io.RawIOBase):
    """A body of *size* bytes that nobody reads."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = self._size if whence == 2 else offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, _: Any) -> int:
        raise AssertionError("it was read")
