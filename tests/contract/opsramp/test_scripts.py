"""Categories and scripts: they become folders and modules, and what agents run."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest
from hostile_world import rows
from opsramp_world import FIRST, Client
from sqlalchemy import select

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, everything
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets

COMMAND = {"name": "Hello", "executionType": "COMMAND", "command": "echo $1", "platforms": ["LINUX"]}
VENUE = {"name": "venue", "description": "Where am I today?", "dataType": "STRING", "type": "REQUIRED"}


@pytest.fixture
def category(client: Client) -> int:
    return int(client.post("rba/categories", {"name": "Rock stars"})["id"])


def names(tree: list[dict[str, Any]]) -> list[Any]:
    return [[one["name"], *names(one["childs"])] if "childs" in one else one["name"] for one in tree]


def refused(client: Client, path: str, body: Any, status: int = 400) -> Any:
    answer = client.ask("POST", path, body)
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def test_folders_of_modules_are_categories(client: Client) -> None:
    assert names(client.get("rba/categories")) == ["Miscellaneous", "Scripts"]
    assert client.get("rba/categories") == client.get("rba/categories")
    (scripts,) = [one for one in client.get("rba/categories") if one["name"] == "Scripts"]
    (found,) = client.get(f"rba/categories/{scripts['id']}/scripts")
    assert found == {
        "id": 7,
        "name": "test script",
        "description": "test script",
        "category": scripts,
        "platforms": ["WINDOWS"],
        "parameters": [
            {
                "id": 2,
                "name": "String",
                "description": "",
                "defaultValue": "10",
                "type": "OPTIONAL",
                "dataType": "STRING",
            }
        ],
        "executionType": "COMMAND",
        "scriptVersion": "0.00",
    }


def test_categories_of_no_tenant_get_no_numbers(client: Client, datastore: Datastore) -> None:
    before = rows(datastore)
    client.tenant = "nobody"
    for path in ("rba/categories", "rba/categories/1/scripts"):
        assert client.ask("GET", path).status == 404
    assert rows(datastore) == before


def test_categories_are_made_in_each_other(client: Client, category: int) -> None:
    child = client.post("rba/categories", {"name": "Child", "parent": {"id": str(category)}})
    client.post("rba/categories", {"name": "Grandchild", "parent": {"id": child["id"]}})
    assert ["Rock stars", ["Child", "Grandchild"]] in names(client.get("rba/categories"))


def test_category_is_renamed_with_all_that_is_in_it(client: Client, hall: Hall, category: int) -> None:
    child = client.post("rba/categories", {"name": "Child", "parent": {"id": category}})
    script = client.post(f"rba/categories/{child['id']}/scripts", COMMAND)
    answer = client.ask("PUT", "rba/categories", {"id": category, "name": "Pop stars"})
    assert (answer.status, json.loads(answer.body)) == (200, {"id": category, "name": "Pop stars"})
    assert names(client.get("rba/categories")) == ["Miscellaneous", ["Pop stars", "Child"], "Scripts"]
    assert client.get(f"rba/categories/{child['id']}/scripts/{script['id']}")["category"]["name"] == "Child"
    folders = {what.name: what.folder for what in hall.library.whats(WhatKind.MODULE, SYSTEM)}
    assert folders["Hello"] == "Pop stars/Child"
    # The old name is free again, and another category.
    again = client.post("rba/categories", {"name": "Rock stars"})
    assert again["id"] != category
    answer = client.ask("PUT", "rba/categories", {"id": again["id"], "name": "Pop stars"})
    assert (answer.status, json.loads(answer.body)[0]["fieldName"]) == (422, "name")


def test_category_is_moved_with_all_that_is_in_it(client: Client, category: int) -> None:
    child = client.post("rba/categories", {"name": "Child", "parent": {"id": category}})
    script = client.post(f"rba/categories/{child['id']}/scripts", COMMAND)
    (scripts,) = [one["id"] for one in client.get("rba/categories") if one["name"] == "Scripts"]
    moved = {"id": category, "name": "Pop stars", "parent": {"id": str(scripts)}}
    assert client.ask("PUT", "rba/categories", moved).status == 200
    assert names(client.get("rba/categories")) == ["Miscellaneous", ["Scripts", ["Pop stars", "Child"]]]
    assert client.get(f"rba/categories/{child['id']}/scripts/{script['id']}")["name"] == "Hello"
    for parent in (category, child["id"], 99):
        answer = client.ask("PUT", "rba/categories", {"id": category, "name": "a", "parent": {"id": parent}})
        assert (answer.status, json.loads(answer.body)[0]["fieldName"]) == (422, "parent.id")
    assert names(client.get("rba/categories")) == ["Miscellaneous", ["Scripts", ["Pop stars", "Child"]]]


def test_category_is_removed_when_it_is_empty(client: Client, category: int) -> None:
    script = client.post(f"rba/categories/{category}/scripts", COMMAND)
    assert client.ask("DELETE", f"rba/categories/{category}").status == 409
    assert client.ask("DELETE", f"rba/categories/{category}/scripts/{script['id']}").status == 200
    assert client.get(f"rba/categories/{category}/scripts") == []
    assert client.ask("DELETE", f"rba/categories/{category}").status == 200
    assert client.ask("GET", f"rba/categories/{category}/scripts").status == 404


def test_empty_category_is_removed(client: Client, category: int) -> None:
    assert client.ask("DELETE", f"rba/categories/{category}").status == 200
    assert client.ask("GET", f"rba/categories/{category}/scripts").status == 404
    assert "Rock stars" not in names(client.get("rba/categories"))


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\nb", "x" * 701, "ROCK STARS"])
def test_category_with_an_impossible_name(client: Client, category: int, name: str) -> None:
    assert refused(client, "rba/categories", {"name": name})[0]["fieldName"] == "name"


def test_category_in_one_that_is_not_there(client: Client) -> None:
    assert refused(client, "rba/categories", {"name": "a", "parent": {"id": 99}})[0]["fieldName"] == "parent.id"


@pytest.mark.parametrize("path", ["99/scripts", "x/scripts", "99/scripts/7", "1/scripts/7", "1/scripts/x"])
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    assert client.get("rba/categories")[0]["id"] == 1
    answer = client.ask("GET", f"rba/categories/{path}")
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "0003")


def test_command_becomes_a_module(client: Client, hall: Hall, category: int) -> None:
    made = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [VENUE]})
    (parameter,) = made["parameters"]
    assert made == {
        "id": made["id"],
        "name": "Hello",
        "description": "",
        "category": {"id": category, "name": "Rock stars"},
        "platforms": ["LINUX"],
        "parameters": [{"id": parameter["id"], **VENUE}],
        "executionType": "COMMAND",
        "scriptVersion": "0.00",
    }
    (what,) = [one for one in hall.library.whats(WhatKind.MODULE, SYSTEM) if one.name == "Hello"]
    assert what.folder == "Rock stars"
    inputs = hall.library.inputs(WhatKind.MODULE, what.id, SYSTEM)
    assert [one.name for one in inputs.parameters] == ["venue"]


#: The published sample of "Create script" (openapi-specs v2, opsramp-automation).
_FILE = base64.b64encode(b'RESTART="/sbin/service httpd restart"\r\n').decode()
SAMPLE: dict[str, Any] = {
    "name": "Restart Apache",
    "description": "Restart Apache using Shell",
    "platforms": ["WINDOWS", "LINUX"],
    "executionType": "SHELL",
    "installTimeout": "50",
    "registryPath": "HKEY_CURRENT_USER/Control Panel/Desktop",
    "registryValue": "dword:00000001",
    "processName": "cmd.exe",
    "serviceName": "OpsRampAgent",
    "attachment": {"name": "apache-restart.sh", "file": _FILE},
    "parameters": [
        {
            "name": "Test Param - 1",
            "description": "x",
            "defaultValue": "10",
            "type": "REQUIRED",
            "dataType": "INTEGER",
        },
        {
            "name": "Test Param - 2",
            "description": "x",
            "defaultValue": "50",
            "type": "OPTIONAL",
            "dataType": "STRING",
        },
    ],
}


def test_audit_names_who_made_a_script(client: Client, datastore: Datastore, category: int) -> None:
    client.caller = Caller("api", everything(Right.MODIFY))
    client.post(f"rba/categories/{category}/scripts", COMMAND)
    with datastore.read() as session:
        entry = session.execute(select(AUDIT).where(AUDIT.c.action == "module.created", AUDIT.c.login == "api")).one()
    assert entry.object_name == "Hello"


def test_what_is_said_of_a_script_is_shown_again(client: Client, category: int) -> None:
    made = client.post(f"rba/categories/{category}/scripts", SAMPLE)
    assert made["installTimeout"] == 50
    assert made["attachment"] == {"id": 0, "name": "apache-restart.sh"}
    assert [(one["type"], one["dataType"], one["defaultValue"]) for one in made["parameters"]] == [
        ("REQUIRED", "INTEGER", "10"),
        ("OPTIONAL", "STRING", "50"),
    ]
    for member in ("name", "description", "platforms", "executionType", "registryPath", "registryValue", "processName"):
        assert made[member] == SAMPLE[member]
    assert list(made) == [
        *("id", "name", "description", "category", "platforms", "parameters", "executionType", "installTimeout"),
        *("attachment", "scriptVersion", "registryPath", "registryValue", "processName", "serviceName"),
    ]
    assert client.get(f"rba/categories/{category}/scripts") == [made]
    assert client.get(f"rba/categories/{category}/scripts/{made['id']}") == made


def test_update_changes_what_it_says(client: Client, category: int) -> None:
    made = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [VENUE], "processName": "a"})
    path = f"rba/categories/{category}/scripts/{made['id']}"
    changed = client.post(path, {"description": "another", "parameters": [{**VENUE, "type": "OPTIONAL"}]})
    assert changed["parameters"][0] == {**made["parameters"][0], "type": "OPTIONAL"}
    assert changed == {**made, "description": "another", "scriptVersion": "1.00", "parameters": changed["parameters"]}
    renamed = client.post(path, {**COMMAND, "name": "Goodbye", "command": "echo bye"})
    assert (renamed["id"], renamed["name"], renamed["scriptVersion"]) == (made["id"], "Goodbye", "2.00")


def test_jobs_keep_the_version_that_they_were_made_with(client: Client, hall: Hall, category: int) -> None:
    script = client.post(f"rba/categories/{category}/scripts", COMMAND)
    entities = [{"resource": {"id": FIRST}}]
    job = client.post("jobs", {"entities": entities, "script": {"customScript": {"id": script["id"]}}})
    client.ask("DELETE", f"rba/categories/{category}/scripts/{script['id']}")
    assert client.ask("GET", f"jobs/{job['id']}/run").status == 200
    assert client.get(f"jobs/{job['id']}")["script"]["customScript"]["name"] == "Hello"
    problem = client.refused({"entities": entities, "script": {"customScript": {"id": script["id"]}}})
    assert problem[0]["fieldName"] == "script.customScript.id"


def test_required_parameters_must_be_given(client: Client, hall: Hall, category: int) -> None:
    optional = {"name": "level", "type": "OPTIONAL", "dataType": "INTEGER", "defaultValue": "3"}
    script = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [VENUE, optional]})
    venue, level = (one["id"] for one in script["parameters"])
    custom = {"jobType": "custom", "customScript": {"id": script["id"]}}
    for given in ([], [{"paramId": level, "value": "4"}], [{"paramId": venue}], [{"paramId": venue, "value": ""}]):
        assert client.refused({"script": {**custom, "parameters": given}})[0]["fieldName"] == "script.parameters"
    for text in ("", "four", "4.5", "0x4", "٤"):
        given = [{"paramId": venue, "value": "here"}, {"paramId": level, "value": text}]
        (problem,) = client.refused({"script": {**custom, "parameters": given}})
        assert (problem["fieldName"], problem["message"]) == ("script.parameters[1].value", "must be a whole number")
    job = client.post("jobs", {"script": {**custom, "parameters": [{"paramId": venue, "value": "here"}]}})
    values = hall.jobs.get(UUID(job["id"]), SYSTEM).parameters[0].parameters
    assert [(one.name, one.value1) for one in values] == [("venue", "here"), ("level", "3")]


def test_passwords_are_never_shown(client: Client, hall: Hall, datastore: Datastore, category: int) -> None:
    secret = {"name": "key", "type": "OPTIONAL", "dataType": "PASSWORD", "defaultValue": "c4nary-1"}
    script = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [secret]})
    number = script["parameters"][0]["id"]
    given = [{"paramId": number, "value": "c4nary-2"}]
    job = client.post("jobs", {"script": {"customScript": {"id": script["id"]}, "parameters": given}})
    assert job["script"]["parameters"] == [{"paramId": number, "name": "key"}]
    shown = [script, job, client.get(f"jobs/{job['id']}"), client.get("jobs/search"), client.get("rba/categories")]
    assert "c4nary" not in json.dumps(shown, default=str)
    with datastore.engine.connect() as connection:  # the audit, too
        assert "c4nary" not in "\n".join(connection.connection.iterdump())  # type: ignore[attr-defined]


def test_password_stays_when_a_job_is_changed_without_it(
    client: Client, hall: Hall, datastore: Datastore, secrets: Secrets, category: int
) -> None:
    secret = {"name": "key", "type": "REQUIRED", "dataType": "PASSWORD"}
    script = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [secret]})
    number = script["parameters"][0]["id"]
    custom = {"customScript": {"id": script["id"]}}
    given = [{"paramId": number, "value": "first"}]
    job = client.post("jobs", {"script": {**custom, "parameters": given}})

    def password() -> str:
        with datastore.read() as session:
            row = session.execute(select(JOBS).where(JOBS.c.id == UUID(job["id"]))).mappings().one()
        return secrets.open(row["parameters"][0]["key"][0])

    assert password() == "first"
    client.post(f"jobs/{job['id']}", {**job, "name": "renamed"})
    assert password() == "first"
    client.post(f"jobs/{job['id']}", {"script": {**custom, "parameters": [{"paramId": number, "value": ""}]}})
    assert password() == "first"
    client.post(f"jobs/{job['id']}", {"script": {**custom, "parameters": [{"paramId": number, "value": "second"}]}})
    assert password() == "second"
    other = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "name": "b", "parameters": [secret]})
    body = {"script": {"customScript": {"id": other["id"]}}}
    assert client.refused(body, f"jobs/{job['id']}")[0]["fieldName"] == "script.parameters"


def test_password_that_is_one_no_more_is_forgotten(
    client: Client, hall: Hall, datastore: Datastore, category: int
) -> None:
    """Whoever may change a script does not read so what others have given to it."""
    path = f"rba/categories/{category}/scripts"
    secret = {"name": "key", "type": "OPTIONAL", "dataType": "PASSWORD"}
    script = client.post(path, {**COMMAND, "parameters": [secret]})
    number, custom = script["parameters"][0]["id"], {"customScript": {"id": script["id"]}}
    given = [{"paramId": number, "value": "c4nary-1"}]
    job = client.post("jobs", {"script": {**custom, "parameters": given}})
    changed = client.post(f"{path}/{script['id']}", {"parameters": [{**secret, "dataType": "STRING"}]})
    assert changed["parameters"][0]["dataType"] == "STRING"
    for body in ({"script": custom}, {"script": {**custom, "parameters": [{"paramId": number}]}}):
        client.post(f"jobs/{job['id']}", body)
        (value,) = hall.jobs.get(UUID(job["id"]), SYSTEM).parameters[0].parameters
        assert (value.name, value.value1) == ("key", "")
    with datastore.engine.connect() as connection:
        assert "c4nary" not in "\n".join(connection.connection.iterdump())  # type: ignore[attr-defined]
    # One that must be given must be given anew.
    client.post(f"{path}/{script['id']}", {"parameters": [{**secret, "dataType": "STRING", "type": "REQUIRED"}]})
    assert client.refused({"script": custom}, f"jobs/{job['id']}")[0]["fieldName"] == "script.parameters"


@pytest.mark.parametrize("kind", ["text", "credentials"])
def test_password_that_the_library_makes_something_else_is_forgotten(
    client: Client, hall: Hall, datastore: Datastore, load_library: Any, kind: str
) -> None:
    def library(kind: str) -> str:
        parameter = f"{{name: key, type: {kind}, value: b, aliases: {{opsramp: {{parameter: 9}}}}}}"
        task = "{type: command, name: a, settings: {command: a}}"
        return (
            f"modules: [{{name: L, aliases: {{opsramp: {{script: '8'}}}}, parameters: [{parameter}], tasks: [{task}]}}]"
        )

    load_library(library("password"))
    custom = {"customScript": {"id": 8}}
    job = client.post("jobs", {"script": {**custom, "parameters": [{"paramId": 9, "value": "c4nary-1"}]}})
    load_library(library(kind))
    client.post(f"jobs/{job['id']}", {"script": custom})
    (value,) = hall.jobs.get(UUID(job["id"]), SYSTEM).parameters[0].parameters
    assert (value.name, value.value1) == ("key", "b")
    with datastore.engine.connect() as connection:
        assert "c4nary" not in "\n".join(connection.connection.iterdump())  # type: ignore[attr-defined]


def test_what_the_library_makes_a_password_is_one(
    client: Client, datastore: Datastore, load_library: Any, category: int
) -> None:
    script = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "parameters": [VENUE]})
    assert script["parameters"][0]["dataType"] == "STRING"
    with datastore.read() as session:
        query = select(Module.id).where(Module.name == COMMAND["name"])
        module = session.scalars(query).one()
    load_library(
        f"modules: [{{name: Hello, id: {module}, folder: Rock stars, parameters: [{{name: venue, type: password}}], "
        "tasks: [{type: command, name: a, settings: {command: a}}]}]"
    )
    (shown,) = client.get(f"rba/categories/{category}/scripts/{script['id']}")["parameters"]
    assert shown["dataType"] == "PASSWORD"
    given = [{"paramId": shown["id"], "value": "c4nary-1"}]
    job = client.post("jobs", {"script": {"customScript": {"id": script["id"]}, "parameters": given}})
    assert job["script"]["parameters"] == [{"paramId": shown["id"], "name": "venue"}]
    with datastore.engine.connect() as connection:
        assert "c4nary" not in "\n".join(connection.connection.iterdump())  # type: ignore[attr-defined]


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": None}, "name"),
    "blank name": ({"name": " "}, "name"),
    "name of another": ({"name": "TEST SCRIPT"}, "name"),
    "no type": ({"executionType": None}, "executionType"),
    "unknown type": ({"executionType": "COBOL"}, "executionType"),
    "a program": ({"executionType": "EXE"}, "executionType"),
    "no command": ({"command": None}, "command"),
    "no attachment": ({"executionType": "SHELL", "command": None}, "attachment"),
    "no base64": ({"attachment": {"name": "a", "file": "???"}}, "attachment.file"),
    "no text": ({"attachment": {"name": "a", "file": base64.b64encode(b"\xff\xfe\x00").decode()}}, "attachment.file"),
    "an empty text": ({"attachment": {"name": "a", "file": ""}}, "attachment.file"),
    "platforms": ({"platforms": ["AMIGA"]}, "platforms[0]"),
    "timeout": ({"installTimeout": -1}, "installTimeout"),
    "timeout is no number": ({"installTimeout": "long"}, "installTimeout"),
    "parameter type": ({"parameters": [{**VENUE, "type": "SOMETIMES"}]}, "parameters[0].type"),
    "data type": ({"parameters": [{**VENUE, "dataType": "FLOAT"}]}, "parameters[0].dataType"),
    "default of an integer": (
        {"parameters": [{**VENUE, "dataType": "INTEGER", "defaultValue": "ten"}]},
        "parameters[0].defaultValue",
    ),
    "parameter name": ({"parameters": [{**VENUE, "name": "a[b]"}]}, "parameters[0].name"),
    "two of a name": ({"parameters": [VENUE, {**VENUE, "name": "VENUE"}]}, "parameters[1].name"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_scripts_are_refused(client: Client, datastore: Datastore, case: str) -> None:
    (category,) = [one["id"] for one in client.get("rba/categories") if one["name"] == "Scripts"]
    members, field = IMPOSSIBLE[case]
    before = rows(datastore)
    body = {name: value for name, value in {**COMMAND, **members}.items() if value is not None}
    assert refused(client, f"rba/categories/{category}/scripts", body)[0]["fieldName"] == field
    assert rows(datastore) == before


def test_text_is_kept_whatever_it_holds(client: Client, datastore: Datastore, category: int) -> None:
    """Neither our own references nor YAML's syntax mean anything in a script."""
    text = "#!/bin/sh\n# $[nobody] ^[x] ${PARAM_x}\necho 'yes': - [a]\t\u2028é\n"
    made = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "command": text, "name": "no: 'yes' #"})
    assert made["name"] == "no: 'yes' #"
    with datastore.read() as session:
        stored = [task.settings["text"] for task in session.query(Task) if "nobody" in str(task.settings)]
    assert stored == [text]


def test_whoever_may_not_change_the_library_is_refused(client: Client, datastore: Datastore, category: int) -> None:
    client.caller = Caller("guest", {Node.TEAMS: Right.READ, Node.MODULES: Right.READ})
    before = rows(datastore)
    assert refused(client, "rba/categories", {"name": "a"}, 403)["code"] == "0004"
    assert refused(client, f"rba/categories/{category}/scripts", COMMAND, 403)["code"] == "0004"
    assert client.ask("PUT", "rba/categories", {"id": category, "name": "b"}).status == 403
    assert client.ask("DELETE", f"rba/categories/{category}").status == 403
    assert rows(datastore) == before
    assert client.ask("GET", f"rba/categories/{category}/scripts").status == 200


def test_number_of_a_script_is_no_alias_of_another_one(client: Client, hall: Hall, load_library: Any) -> None:
    """One module of the library has the number that another one has as its alias."""
    category = client.post("rba/categories", {"name": "numbers"})["id"]
    first = client.post(f"rba/categories/{category}/scripts", {**COMMAND, "name": "first"})["id"]
    own = first - 1_000_000_000
    aliased = f"{{opsramp: {{script: '{own + 1}'}}}}"
    load_library(f"modules: [{{name: Aliased, aliases: {aliased}}}]")  # it has that number itself
    load_library("modules: [{name: Aliased, aliases: {}}, {name: Other, aliases: " + aliased + "}]")
    numbers = {}
    for one in client.get("rba/categories"):
        numbers |= {found["name"]: found["id"] for found in client.get(f"rba/categories/{one['id']}/scripts")}
    assert (numbers["Other"], numbers["Aliased"]) == (own + 1, first + 1)
    for name in ("first", "Aliased", "Other"):
        job = client.post("jobs", {"script": {"customScript": {"id": numbers[name]}}})
        assert hall.jobs.get(UUID(job["id"]), client.caller).what[0].name == name


def test_number_of_a_script_stays_whatever_gets_an_alias(client: Client, category: int, load_library: Any) -> None:
    path = f"rba/categories/{category}/scripts"
    made = client.post(path, {**COMMAND, "parameters": [VENUE]})
    numbers = (made["id"], made["parameters"][0]["id"])
    script, parameter = (number % 1_000_000_000 for number in numbers)
    load_library(
        f"modules: [{{name: Other, aliases: {{opsramp: {{script: '{script}'}}}},"
        f" parameters: [{{name: a, aliases: {{opsramp: {{parameter: '{parameter}'}}}}}}]}}]"
    )
    assert client.get(path) == [made]
    assert client.get(f"{path}/{made['id']}") == made
    given = [{"paramId": numbers[1], "value": "here"}]
    job = client.post("jobs", {"script": {"customScript": {"id": made["id"]}, "parameters": given}})
    assert job["script"]["customScript"]["name"] == "Hello"


@pytest.mark.parametrize(("verb", "path", "body"), [("GET", "1/scripts", None), ("POST", "1/scripts", COMMAND)])
def test_category_is_there_before_categories_are_listed(client: Client, verb: str, path: str, body: Any) -> None:
    answer = client.ask(verb, f"rba/categories/{path}", body)
    assert answer.status == 200, answer.body
    assert client.get("rba/categories")[0]["id"] == 1


@pytest.mark.parametrize(("verb", "body"), [("POST", {"description": "mine"}), ("DELETE", None)])
def test_module_of_the_library_is_changed_and_removed_there(
    client: Client, datastore: Datastore, verb: str, body: Any
) -> None:
    (scripts,) = [one["id"] for one in client.get("rba/categories") if one["name"] == "Scripts"]
    shown = client.get(f"rba/categories/{scripts}/scripts/7")
    before = rows(datastore)
    answer = client.ask(verb, f"rba/categories/{scripts}/scripts/7", body)
    message = "script 7 is a module of the library, and changed there"
    assert (answer.status, json.loads(answer.body)) == (409, {"code": "0005", "message": message})
    assert rows(datastore) == before
    assert client.get(f"rba/categories/{scripts}/scripts/7") == shown


def test_one_key_makes_one_script(client: Client, category: int) -> None:
    path = f"rba/categories/{category}/scripts"
    first, again = (client.ask("POST", path, COMMAND, key="k1") for _ in range(2))
    assert (first.status, again.body) == (200, first.body)
    assert client.ask("POST", path, {**COMMAND, "name": "Bye"}, key="k1").status == 409
    assert client.ask("POST", path, COMMAND, key="k2").status == 400  # its name is taken
    # What has failed counts for nothing.
    assert client.ask("POST", path, {**COMMAND, "name": "Bye"}, key="k2").status == 200
    assert [one["name"] for one in client.get(path)] == ["Hello", "Bye"]

    number = json.loads(first.body)["id"]
    assert client.ask("DELETE", f"{path}/{number}").status == 200
    assert client.ask("POST", path, COMMAND, key="k1").status == 404
