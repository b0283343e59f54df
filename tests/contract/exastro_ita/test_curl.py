"""The command lines of the vendor's manual, word for word, by the real curl against a real server.

``servername`` is led to the server by curl's own settings; only what the manual asks to fill in is filled in.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
from exastro_server import AUTHORITY, PLAYBOOK, Site

GOLDEN = Path(__file__).parent / "golden"
LINES = ("inline", "from-file", "form")


@pytest.fixture
def site(real_site: Site) -> Site:
    return real_site


@pytest.fixture
def folder(tmp_path: Path, site: Site) -> Path:
    """Where the command lines are typed: with the files that they name, and the settings of curl."""
    site.clean()
    (tmp_path / ".curlrc").write_text(f'connect-to = "servername:80:{site.address}"\nsilent\nmax-time = 30\n', "utf-8")
    sample = (GOLDEN / "playbook_files_sample.json").read_bytes()
    (tmp_path / "playbook_files_sample.json").write_bytes(sample)
    (tmp_path / "echo.yml").write_bytes(PLAYBOOK)
    return tmp_path


def typed(folder: Path, text: str) -> list[dict[str, Any]]:
    """Type *text* into a shell in *folder*; return what the server has answered, one after the other."""
    environment = {"PATH": "/usr/bin:/bin", "CURL_HOME": str(folder), "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", text], cwd=folder, env=environment, capture_output=True, timeout=60, check=False
    )
    decoder, out, found = json.JSONDecoder(), done.stdout.decode(), []
    while out.strip():
        answer, end = decoder.raw_decode(out.strip())
        found.append(answer)
        out = out.strip()[end:]
    return found


def line(name: str) -> str:
    text = (GOLDEN / f"{name}.sh").read_text("utf-8")
    if name == "inline":
        # The manual says above it that quotes are to be set as the shell needs them; here are none around the JSON.
        text = re.sub(r"--data-raw (\[.*\])", r'--data-raw "\1"', text)
    return text


@pytest.mark.parametrize("name", LINES)
def test_a_playbook_is_registered_as_the_manual_says(site: Site, folder: Path, name: str) -> None:
    [answer] = typed(folder, line(name))
    assert (answer["result"], answer["message"]) == ("000-00000", "SUCCESS")
    key = answer["data"].pop("IdList")
    assert answer["data"] == {"Register": 1, "Update": 0, "Restore": 0, "Discard": 0, "Delete": 0}
    [record] = site.records("playbook_files")
    assert [record["parameter"]["item_no"]] == key
    assert record["parameter"]["playbook_file"] == "echo.yml"
    assert site.file(record) == PLAYBOOK
    # Typed once more it is refused: the name is taken.
    [again] = typed(folder, line(name))
    assert again["result"] == "499-00201"
    wanted = f"他レコードと重複しています。(対象ID:{key[0]},値:echo)"
    assert json.loads(again["message"]) == {"0": {"playbook_name": [wanted]}}


def test_without_quotes_a_shell_sends_a_bracket_which_is_no_json(folder: Path) -> None:
    [answer] = typed(folder, (GOLDEN / "inline.sh").read_text("utf-8"))
    assert answer["result"] == "400-00002"


def filled(name: str, menu: str) -> str:
    """Return a command line of the manual with its variables filled in."""
    text = (GOLDEN / f"{name}.sh").read_text("utf-8")
    values = {
        "BASEURL": "http://servername",
        "ORGANAIZATION_ID": "organization_1",
        "WORKSPACE_ID": "workspace_1",
        "MENU": menu,
    }
    for variable, value in values.items():
        text = re.sub(f'^{variable}=".*"$', f'{variable}="{value}"', text, flags=re.MULTILINE)
    return text.replace("ユーザー名を設定してください", "user_id").replace("パスワードを設定してください", "password")


def test_the_columns_of_playbooks_are_those_of_the_manual(folder: Path) -> None:
    wanted = json.loads((GOLDEN / "playbook-columns.json").read_text("utf-8"))
    [answer] = typed(folder, filled("column", "playbook_files"))
    assert answer["data"] == wanted["data"]
    assert answer.keys() == wanted.keys()
    assert re.fullmatch(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", answer["ts"])


def test_the_choices_of_devices_are_those_of_the_manual(folder: Path) -> None:
    wanted = json.loads((GOLDEN / "device-choices.json").read_text("utf-8"))
    [answer] = typed(folder, filled("pulldown", "device_list"))
    assert answer["data"] == wanted["data"]


def test_menu_info_has_the_members_of_the_manual(folder: Path) -> None:
    [answer] = typed(folder, filled("info", "playbook_files"))
    assert answer["data"].keys() == {"column_group_info", "column_info", "custom_menu", "menu_info"}
    columns = answer["data"]["column_info"]
    assert list(columns) == [f"c{number}" for number in range(1, len(columns) + 1)]
    named = {column["column_name_rest"]: column for column in columns.values()}
    flags = ("auto_input", "input_item", "view_item", "required_item", "unique_item")
    assert [named["playbook_name"][flag] for flag in flags] == ["0", "1", "1", "1", "1"]
    assert [named["last_updated_user"][flag] for flag in flags[:2]] == ["1", "0"]


def test_a_user_before_the_first_login_is_told_so_in_the_words_of_the_manual(site: Site) -> None:
    answer = requests.get(f"{site.base}/menu/menu_list/info/", auth=("newcomer", "password"), timeout=30)
    assert answer.status_code == 401
    told = answer.json()
    told.pop("ts")
    assert told == {"data": None, "message": "認証に失敗しました。", "result": "401-00002"}


@pytest.mark.parametrize("number", range(1, 8))
def test_the_bodies_of_apply_are_accepted(site: Site, folder: Path, number: int) -> None:
    """Sections 3.3.1 to 3.3.7, as they are printed."""
    site.operation("sample_operation", "2024/01/01 00:00")
    if number in (1, 2):  # they are for parameters that are registered already
        row = json.loads((GOLDEN / "apply-3.json").read_bytes())["parameter_info"][0]["sample_menu_001"]
        site.post("menu/sample_menu_001/maintenance/all/", row)
    before = {one["parameter"]["operation_name"] for one in site.records("operation_list")}
    body = (GOLDEN / f"apply-{number}.json").read_bytes()
    headers = {"Content-Type": "application/json", **AUTHORITY}
    answer = requests.post(f"{site.base}/apply/", data=body, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    run = answer.json()["data"]["conductor_instance_id"]
    state = site.get(f"menu/conductor_confirmation/conductor/{run}/")["conductor"]
    asked = json.loads(body)
    assert state["conductor_name"] == asked["conductor_class_name"]
    name = asked.get("operation_name") or state["operation_name"]
    assert state["operation_name"] == name
    if not asked.get("operation_name"):
        assert re.fullmatch(r"[0-9]{21}", name)
    assert (name in before) == (name == "sample_operation")
    sent = sum(len(records) for menus in asked.get("parameter_info", ()) for records in menus.values())
    rows = [row for menu in ("sample_menu_001", "sample_menu_002") for row in site.records(menu)]
    assert len(rows) == sent or (number in (1, 2) and len(rows) == 1)
    assert all(site.file(row, "column_2") == b"sample file" for row in rows)


def test_the_error_of_apply_is_the_one_of_the_manual(site: Site, folder: Path) -> None:
    """Listing 3.16: the text is 30 bytes long."""
    body = json.loads((GOLDEN / "apply-6.json").read_bytes())
    body["parameter_info"][0]["sample_menu_001"][1]["parameter"]["column_1"] = "x" * 30
    answer = requests.post(f"{site.base}/apply/", json=body, headers=AUTHORITY, timeout=30)
    assert answer.status_code == 499
    told = json.loads(answer.content)
    wanted = {"1": {"column_1": ["文字長エラー (閾値 : 値<=8byte, 値 : 30byte), menu : sample_menu_001"]}}
    assert (told["result"], told["message"]) == ("499-00201", wanted)
    assert [site.records(menu) for menu in ("operation_list", "sample_menu_001", "sample_menu_002")] == [[], [], []]
