"""The JSON codec: what is written is read back; what clients write is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_values import DECLARED, JSON_CHARACTERS, WHOLE_MILLISECONDS, plain, values

from dispatcher.bindings.ivanti_automation.contract import (
    AgentMembership,
    Job,
    JobParameter,
    JobResults,
    JobStatus,
    JobWhat,
    JobWhen,
    ParameterContainer,
)
from dispatcher.wire.json_codec import encode_json, json_decoder
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue
from dispatcher.wire.types import DataContract, Text, array_of, new

MOMENT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def decode(spyne_type: Any, text: str | bytes, zone: Any = UTC) -> Any:
    return json_decoder(spyne_type)(read_json(text.encode() if isinstance(text, str) else text, None, Quotas()), zone)


class Node(DataContract):
    Name = Text


Node._type_info["Next"] = Node


@pytest.mark.parametrize("spyne_type", DECLARED, ids=lambda one: one.get_type_name())
@given(data=st.data())
@quick
def test_every_declared_type_is_read_back(spyne_type: Any, data: st.DataObject) -> None:
    value = data.draw(values(spyne_type, JSON_CHARACTERS, WHOLE_MILLISECONDS))

    assert plain(decode(spyne_type, encode_json(spyne_type, value))) == plain(value)


def test_type_inside_itself_is_read_back() -> None:
    chain = new(Node, Name="a", Next=new(Node, Name="b", Next=None))

    assert plain(decode(Node, encode_json(Node, chain))) == plain(chain)


def test_shape_of_a_document() -> None:
    status = new(JobStatus, JobInvoker=1, JobInvokerInfo=None, StartDateTime=MOMENT, StopDateTime=None, Type=4)

    assert encode_json(JobStatus, status).decode() == (
        r'{"JobInvoker":1,"JobInvokerInfo":null,"StartDateTime":"\/Date(1760000000000+0000)\/","StopDateTime":null,"Type":4}'
    )


def test_noncharacters_are_escaped_as_dotnet_reads_them_no_other_way() -> None:
    # DataContractJsonSerializer: "Encountered unexpected character" for each of the two when it stands for itself.
    what = new(JobWhat, ID="\ufffe/\uffff\ufffd\ufffb")

    assert '"ID":"\\ufffe\\/\\uffff\ufffd\ufffb"' in encode_json(JobWhat, what).decode()


def test_members_stand_in_declared_order_whatever_the_instance_says() -> None:
    what = new(JobWhat, Type=0, ID="i")

    assert list(json.loads(encode_json(JobWhat, what))) == ["Description", "FolderName", "ID", "Name", "Type"]


def test_dates_carry_the_offset_of_the_site() -> None:
    when = new(JobWhen, ScheduledDateTime=MOMENT)

    assert rb"\/Date(1759992800000+0200)\/" in encode_json(JobWhen, when, timezone(timedelta(hours=2)))


def test_every_slash_is_escaped() -> None:
    assert encode_json(Text, "a/b</script>") == rb'"a\/b<\/script>"'


def test_bytes_are_numbers() -> None:
    assert encode_json(JobResults, new(JobResults, Xml=b"<\0")) == b'{"Xml":[60,0]}'


@pytest.mark.parametrize("spyne_type", [Text, Job, array_of(Job)])
def test_nothing_is_null(spyne_type: Any) -> None:
    assert encode_json(spyne_type, None) == b"null"


@given(st.text(st.characters()))
def test_text_is_json_whatever_it_holds(text: str) -> None:
    shown = "".join("�" if "\ud800" <= character <= "\udfff" else character for character in text)

    assert json.loads(encode_json(array_of(JobWhat), [new(JobWhat, Name=text)]))[0]["Name"] == shown


def test_encoding_leaves_the_value_as_it_was() -> None:
    job = new(Job, What=[new(JobWhat, ID="i")], Status=new(JobStatus, StartDateTime=MOMENT))

    assert encode_json(Job, job) == encode_json(Job, job)
    assert job.Status.StartDateTime is MOMENT


# What clients write.


@pytest.mark.parametrize(
    ("text", "flag"), [('"true"', True), ('"False"', False), ("1", True), ("0", False), ("true", True)]
)
def test_flags_as_strings_and_numbers(text: str, flag: bool) -> None:
    assert decode(JobWhen, f'{{"Immediate": {text}}}').Immediate is flag  # LUCD, ITM, VDI-1


@pytest.mark.parametrize("text", ['"2"', "2", "2.0", '"Aborting"', '"aborting"'])
def test_enumerations_as_strings_numbers_and_names(text: str) -> None:
    assert decode(JobStatus, f'{{"Type": {text}}}').Type == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [("12.50", "12.50"), ("7", "7"), ("true", "true"), ('"x"', "x"), ("12345678901234567890", "12345678901234567890")],
)
def test_texts_as_numbers_and_flags(text: str, shown: str) -> None:
    assert decode(JobParameter, f'{{"Value1": {text}}}').Value1 == shown  # VDI-2 sends prices


def test_null_is_missing() -> None:
    parameter = decode(JobParameter, '{"Name": "a", "Value1": null, "Type": null}')  # VDI-2

    assert (parameter.Name, parameter.Value1, parameter.Type) == ("a", None, None)


def test_null_items_are_left_out() -> None:
    assert decode(Job, '{"Parameters": [null]}').Parameters == []  # ITM


def test_object_in_place_of_a_list_of_one() -> None:
    # ConvertTo-Json unwraps such lists.
    job = decode(Job, '{"What": {"ID": "i"}}')

    assert [what.ID for what in job.What] == ["i"]


def test_text_in_place_of_a_list_of_one() -> None:
    # PowerShell unwraps what is one, and ConvertTo-Json writes an empty list that lies too deep as an empty text.
    for text, names in (('"Ring 1"', ["Ring 1"]), ("7", ["7"]), ('""', []), ('["", "Ring 1"]', ["", "Ring 1"])):
        assert decode(AgentMembership, f'{{"AddTeams": {text}}}').AddTeams == names
    assert decode(Job, '{"Parameters": [{"JobParameters": ""}]}').Parameters[0].JobParameters == []


def test_text_that_is_an_object_with_a_value() -> None:
    # What ConvertTo-Json of Windows PowerShell 5.1 makes of a line that Get-Content has read.
    line = r'{"value": "PC-042", "PSPath": "C:\\pcs.txt", "ReadCount": 1}'

    assert decode(JobWhat, f'{{"Name": {line}}}').Name == "PC-042"
    assert decode(AgentMembership, f'{{"AddTeams": {line}}}').AddTeams == ["PC-042"]


@pytest.mark.parametrize(
    "text",
    [
        r'"\/Date(1760000000000)\/"',
        r'"\/Date(1760000000000+0200)\/"',
        '"2025-10-09T08:53:20Z"',  # PowerShell 7
        r'{"value": "\/Date(1760000000000)\/", "DateTime": "Thursday, October 9, 2025 8:53:20 AM"}',  # PowerShell 5.1
        '{"value": null, "DateTime": "2025-10-09T08:53:20Z"}',
    ],
)
def test_dates(text: str) -> None:
    assert decode(JobWhen, f'{{"ScheduledDateTime": {text}}}').ScheduledDateTime == MOMENT


@pytest.mark.parametrize("text", ['""', "null", "{}", '{"value": null}', '"0001-01-01T00:00:00"'])
def test_dates_that_are_none(text: str) -> None:
    assert decode(JobWhen, f'{{"ScheduledDateTime": {text}}}').ScheduledDateTime is None


def test_members_in_any_case_but_the_exact_one_wins() -> None:
    assert decode(Job, '{"outsideLaunchWindow": "x"}').OutsideLaunchWindow == "x"  # VDI-2
    for text in ('{"id": "a", "ID": "b"}', '{"ID": "b", "id": "a"}'):
        assert decode(JobWhat, text).ID == "b"


def test_members_that_nothing_depends_on_are_passed_over() -> None:
    odd = '{"JobInvoker": "User", "JobInvokerInfo": {}, "StartDateTime": "10/09/2025", "StopDateTime": [], "Type": 2}'
    status = decode(JobStatus, odd)

    assert (status.JobInvoker, status.JobInvokerInfo, status.StartDateTime, status.StopDateTime) == (None,) * 4
    assert status.Type == 2
    assert decode(JobStatus, '{"JobInvoker": 9}').JobInvoker == 9
    with pytest.raises(WrongValue):
        decode(JobStatus, '{"JobInvoker": 9, "Type": "Odd"}')


def test_unknown_members_are_ignored() -> None:
    assert decode(JobWhat, '{"whoRequired": {"a": [1]}, "ID": "i"}').ID == "i"


def test_bytes_as_numbers_or_base64() -> None:
    assert decode(JobResults, '{"Xml": [60, 0]}').Xml == b"<\0"
    assert decode(JobResults, '{"Xml": "PAA="}').Xml == b"<\0"


def test_ugliest_request_of_the_contract() -> None:
    job = decode(
        Job,
        r"""{"Description":"Patch ring 1","When":{"ScheduledDateTime":"\/Date(1760000000000)\/","Immediate":"true",
 "IsLocalTime":"true","UseWakeOnLAN":"false"},
 "What":[{"ID":" {5CF59E5A-343C-4D85-A83C-8B18E4731040} ","Type":0,"Name":"any text"}],
 "Who":[{"ID":"{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}","Type":0,}],
 "Parameters":[null],"ScheduleInParallel":"true","outsideLaunchWindow":"LaunchWindowFailJob"}""",
    )

    assert (job.When.Immediate, job.When.UseWakeOnLAN, job.When.ScheduledDateTime) == (True, False, MOMENT)
    assert (job.ScheduleInParallel, job.OutsideLaunchWindow, job.Parameters) == (True, "LaunchWindowFailJob", [])


@pytest.mark.parametrize(
    ("spyne_type", "text", "path"),
    [
        (Job, "[]", "message: an object is expected"),
        (Job, '{"What": [{}, 1]}', "What[1]: an object is expected"),
        (Job, '{"What": 1}', "What: an array is expected"),
        (Job, '{"Description": {}}', "Description: a text is expected"),
        (Job, '{"What": [{"Type": 3}]}', "What[0]/Type: '3' is none of"),
        (Job, '{"What": [{"Type": 0.5}]}', "What[0]/Type: "),
        (Job, '{"When": {"Immediate": []}}', "When/Immediate: [] is not expected"),
        (Job, '{"When": {"ScheduledDateTime": 1760000000000}}', "When/ScheduledDateTime: 1760000000000 is no date"),
        (Job, '{"When": {"ScheduledDateTime": {"value": [1]}}}', "When/ScheduledDateTime: [1] is no date"),
        (JobResults, '{"Xml": [256]}', "Xml: the array holds something else"),
        (JobResults, '{"Xml": [1.5]}', "Xml: the array holds something else"),
        (JobResults, '{"Xml": {}}', "Xml: an array of bytes"),
        (ParameterContainer, '{"JobParameters": [[]]}', "JobParameters[0]: an object"),
    ],
)
def test_wrong_value_is_named_by_its_path(spyne_type: Any, text: str, path: str) -> None:
    with pytest.raises(WrongValue) as error:
        decode(spyne_type, text)

    assert error.value.named().message.startswith(path)


_NAMES = st.sampled_from(
    ["What", "Who", "When", "ID", "Type", "Parameters", "ScheduledDateTime", "value", "Immediate", "x"]
)
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(_PLAIN)
def test_no_value_breaks_the_decoder(value: Any) -> None:
    try:
        decode(Job, json.dumps(value))
    except WrongValue as wrong:
        assert wrong.named().member  # noqa: PT017 - the error is one of two good outcomes
