"""A message that comes as the text of a member is read, as the vendor's own samples write it; all else is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ies_seed import DEPLOYMENT, JOB, NOTICE, STRINGIFIED, STRINGIFIED_BODY
from letters_api import letters_api

from dispatcher.core.errors import BadRequest, InvalidValue, QuotaExceeded
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.envelopes import read_enveloped
from dispatcher.wire.json_api.models import LastWins, LaxBool
from dispatcher.wire.json_api.operations import operation
from dispatcher.wire.quotas import Quotas

QUOTAS = Quotas()
BODY = STRINGIFIED_BODY.decode()
READ_JOB = {
    "Name": "Test",
    "JobType": 1,
    "StartTime": "2022-03-03T11:30:00.000Z",
    "DiscoveryTargets": {"RangeIpTargets": [{"StartIp": "192.168.19.100", "EndIP": "192.168.19.200"}]},
}
READ_DEPLOYMENT = {
    "CustomPatchListId": 1,
    "AgentGuids": ["9e317d51-07ac-4c17-8a1f-3111d385bc7e"],
    "GroupIds": [1009],
    "StartTime": "2023-01-06T11:35:02.007Z",
    "Notify": {"Message": "Notification options", **NOTICE, "DeployWithin": 60},
    "Reboot": {"Message": "Reboot options", **NOTICE, "RebootWithin": 60},
}


def read(body: str | bytes) -> dict[str, Any]:
    return read_enveloped(QUOTAS, body.encode() if isinstance(body, str) else body, None)


def in_either_form(text: str) -> list[str]:
    """Return the bodies that hold *text*: its line breaks as they are, as the vendor shows it, and as JSON has them."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return [f'{{\n"value" : "{quoted}"\n}}', json.dumps({"value": text})]


def test_the_body_of_the_page_is_read_word_for_word() -> None:
    assert in_either_form(STRINGIFIED)[0] == BODY
    assert read(BODY) == READ_JOB
    assert read(BODY.replace("\n", "\r\n")) == READ_JOB


@pytest.mark.parametrize("form", [0, 1], ids=["line breaks as they are", "escaped"])
def test_the_models_of_the_page_are_read_in_either_form(form: int) -> None:
    assert read(in_either_form(STRINGIFIED)[form]) == READ_JOB
    assert read(in_either_form(DEPLOYMENT)[form]) == READ_DEPLOYMENT
    job = read(in_either_form(JOB)[form])
    assert job["Credentials"] == {"Username": "<WindowsUserName>", "Password": "<WindowsPassword>"}
    assert job["Modules"] == dict.fromkeys(("AC", "AV", "DC", "PR"), False)
    assert set(job["DiscoveryOptions"].values()) == {True}
    assert len(job["DiscoveryOptions"]) == 8
    targets = job["DiscoveryTargets"]
    assert targets["SingleIpTargets"] == [{"Ip": "192.168.0.100", "Timeout": 3000, "Retry": 3}]
    assert [*targets] == ["SingleIpTargets", "RangeIpTargets", "ComputerNameTargets", "ActiveDirectoryTargets"]
    assert targets["ActiveDirectoryTargets"][0]["OrganizationalUnit"] == "<OU>"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{\nModules: {\nAV: true\n}}", {"Modules": {"AV": True}}),
        ("{Modules: {\nAC: true,\nPR: true}}", {"Modules": {"AC": True, "PR": True}}),
        ("{DiscoveryOptions: {}}", {"DiscoveryOptions": {}}),
        (
            '{DiscoveryTargets: {\nComputerNameTargets: [{\nComputerName: "my pc",\nTimeout: 5000}],\n'
            'SingleIpTargets: [{Ip: "192.168.0.1",\nRetry: 10}]\n}}',
            {
                "DiscoveryTargets": {
                    "ComputerNameTargets": [{"ComputerName": "my pc", "Timeout": 5000}],
                    "SingleIpTargets": [{"Ip": "192.168.0.1", "Retry": 10}],
                }
            },
        ),
        (
            '{\nCustomPatchListId : 1,\nStartTime: "2023-01-06T11:35:02.007Z",\nNotify: {AllowCancel: true,\n'
            "DeployWithin: 222},\nReboot: {AllowSnooze: false,\nRebootWithin: 222}\n}",
            {
                "CustomPatchListId": 1,
                "StartTime": "2023-01-06T11:35:02.007Z",
                "Notify": {"AllowCancel": True, "DeployWithin": 222},
                "Reboot": {"AllowSnooze": False, "RebootWithin": 222},
            },
        ),
    ],
)
def test_the_examples_of_the_page_are_read_in_either_form(text: str, value: object) -> None:
    assert [read(body) for body in in_either_form(text)] == [value, value]


def test_the_name_of_the_member_is_known_in_any_case_and_the_last_counts() -> None:
    assert read('{"Value": "{a: 1}", "other": [1, {"x": null}], "VALUE": "{a: 2}"}') == {"a": 2}
    assert read('{"value": 1, "VALUE": 2, "value": "{a: 3}"}') == {"a": 3}
    assert read('\ufeff{"value": "{a: 1}"}') == {"a": 1}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "the JSON cannot be read: Expecting value: line 1 column 1 (char 0)"),
        ("[]", "the body must be an object with the member 'value'"),
        ('"{a: 1}"', "the body must be an object with the member 'value'"),
        ("{}", "value: is missing, the text that holds the message as JSON"),
        ('{"Name": "x", "JobType": 1}', "value: is missing, the text that holds the message as JSON"),
        ('{"value": null}', "value: must be a text that holds the message as JSON"),
        ('{"value": {"Name": "x"}}', "value: must be a text that holds the message as JSON"),
        ('{"value": 1}', "value: must be a text that holds the message as JSON"),
        ('{"value": ""}', "value: is empty"),
        ('{"value": " \\n"}', "value: is empty"),
        ('{"value": "[1]"}', "value: must hold an object"),
        ('{"value": "null"}', "value: must hold an object"),
        ('{"value": "// x"}', "value: line 1, column 5: expected a value but found the end"),
        ('{"value": "{\nName: x\n}"}', "value: line 2, column 7: expected a value, of which texts need quotes and "),
        ('{"value": "{\\nName: \\"x\\n}"}', "value: line 2, column 7: a text that has no end"),
        ('{"value": "\\ud800{}"}', "value: line 1, column 1: a NUL character, or half of a surrogate pair"),
        ('{"value": "{a: 1}",}', "the JSON cannot be read: "),
        ("{value: '{}'}", "the JSON cannot be read: "),
        ('{"value": NaN}', "the JSON cannot be read: NaN is no number"),
    ],
)
def test_what_is_no_envelope_is_told(body: str, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(body)
    assert caught.value.message.startswith(told)
    assert isinstance(caught.value, InvalidValue) == told.startswith("value: ")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"value": "{}", "a": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"value": ' + json.dumps("{a:" * 40).encode() + b"}",
        b'{"value": ' + b"1" * 5_000 + b"}",
        b" " * ((4 << 20) + 1),
    ],
    ids=["deep", "deep objects", "too deep", "text too deep", "digits", "large"],
)
def test_quotas_hold(body: bytes) -> None:
    with pytest.raises(QuotaExceeded):
        read(body)


def test_a_text_may_be_as_long_as_the_message() -> None:
    body = json.dumps({"value": "{a: [" + "'0123456789'," * 150_000 + "]}"})
    assert len(body) > QUOTAS.string_chars
    assert len(read(body)["a"]) == 150_000


@given(st.binary(max_size=30) | st.text(max_size=10).map(lambda text: json.dumps({"value": text}).encode()))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read(body), dict)
    except BadRequest:
        return


class Stamp(LastWins):
    Price: int


class Parcel(LastWins):
    """What is sent."""

    To: str
    Urgent: LaxBool = False
    Stamps: list[Stamp] = []

    other_names = {"receiver": "To"}
    model_config = {"json_schema_extra": {"example": {"To": "Ann", "Stamps": [{"Price": 2}]}}}


class Parcels:
    @operation("POST /letters/v1/parcels", summary="Send a parcel", status=201, enveloped=True)
    def send(self, request: Request, body: Parcel) -> Parcel:
        return body


API = letters_api(handlers=[Parcels()], any_case=True)


def post(text: str) -> tuple[int, Any]:
    response = API(Request("POST", "/letters/v1/Parcels", body=json.dumps({"value": text}).encode()))
    return response.status, json.loads(response.body)


def test_an_operation_reads_its_body_from_the_envelope() -> None:
    text = "{TO: 'Bob', urgent: 'True', stamps: [{price: '1', PRICE: 7}], unknown: {}, Receiver: 'Eve', to: 'Ann'}"
    assert post(text) == (201, {"To": "Ann", "Urgent": True, "Stamps": [{"Price": 7}]})


def test_what_is_too_much_in_the_text_is_told_by_its_member() -> None:
    told = post("{a:" * 40)[1]
    assert told["Members"] == ["value"]
    assert told["Message"] == "value: line 1, column 97: it exceeds the quota: depth, at most 32"


def test_what_is_wrong_in_the_text_is_told_by_its_member() -> None:
    assert post("{To: 'x', Stamps: [{Price: 'y'}]}")[1]["Members"] == ["Stamps[0].Price"]
    status, told = post("{To: 'x',\n Stamps: [}")
    assert (status, told["Members"]) == (400, ["value"])
    assert told["Message"] == "value: line 2, column 11: expected a value or ']' but found '}'"
    assert post("{To: 'x\\u0041\\n'}")[0] == 201
