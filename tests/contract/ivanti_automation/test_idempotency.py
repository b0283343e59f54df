"""P6: the same request again with the same key gives the same job, over REST and over SOAP."""

from __future__ import annotations

import re

import pytest

from dispatcher.bindings.ivanti_automation.binding import IvantiAutomation
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.groupcommit import GroupCommit
from dispatcher.datastore.transactions import Datastore
from dispatcher.wire.http import Request, Response

BASE = "/Dispatcher/SchedulingService"
PATCH = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
S11 = "http://schemas.xmlsoap.org/soap/envelope/"
S12 = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
OLD_WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
JSON = (
    '{"Description": "%s", "What": [{"ID": "' + PATCH + '", "Type": 0}], '
    '"Who": [{"ID": "' + AGENT + '", "Type": 0}], "When": {"Immediate": true}}'
)
SOAP = (
    '<s:Envelope xmlns:s="{namespace}"><s:Header>{header}</s:Header><s:Body><ScheduleJob xmlns="http://tempuri.org/">'
    '<job xmlns:a="http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"><a:Description>{description}'
    "</a:Description><a:What><a:JobWhat><a:ID>{{5CF59E5A-343C-4D85-A83C-8B18E4731040}}</a:ID><a:Type>Module</a:Type></a:JobWhat></a:What>"
    "<a:When><a:Immediate>true</a:Immediate></a:When>"
    "<a:Who><a:JobWho><a:ID>{{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}}</a:ID><a:Type>Agent</a:Type></a:JobWho></a:Who>"
    "</job></ScheduleJob></s:Body></s:Envelope>"
)


def by_rest(binding: IvantiAutomation, key: str, description: str = "Patch") -> Response:
    headers = {"content-type": "application/json", "accept": "application/json", "idempotency-key": key}
    body = (JSON % description).encode()
    return binding(Request("POST", f"{BASE}/jobs", headers=headers, body=body, caller=SYSTEM))


def by_soap(
    binding: IvantiAutomation, header: str, description: str = "Patch", namespace: str = S11, key: str = ""
) -> Response:
    kind = "text/xml" if namespace == S11 else "application/soap+xml"
    headers = {"content-type": f"{kind}; charset=utf-8", **({"idempotency-key": key} if key else {})}
    body = SOAP.format(namespace=namespace, header=header, description=description).encode()
    return binding(Request("POST", f"{BASE}/soap", headers=headers, body=body, caller=SYSTEM))


def message_id(text: str, namespace: str = WSA, more: str = "") -> str:
    return f'<a:MessageID xmlns:a="{namespace}" {more}>{text}</a:MessageID>'


def job_of(answer: Response) -> str:
    assert answer.status == 200, answer.body
    found = re.search(rb"JobID\W+(?:\w:)?(\{[0-9A-F-]{36}\})", answer.body)
    assert found is not None
    return found[1].decode()


def test_rest_gives_the_same_job_for_the_same_key(binding: IvantiAutomation) -> None:
    first = by_rest(binding, "4711")
    assert job_of(by_rest(binding, " 4711 ")) == job_of(first)
    assert job_of(by_rest(binding, "4712")) != job_of(first)


def test_rest_answers_409_for_another_body(binding: IvantiAutomation) -> None:
    job_of(by_rest(binding, "4711"))
    answer = by_rest(binding, "4711", "Something else")
    assert answer.status == 409
    assert b"given for another request" in answer.body


def test_rest_without_a_key_makes_a_job_each_time(binding: IvantiAutomation) -> None:
    assert job_of(by_rest(binding, "")) != job_of(by_rest(binding, " "))


@pytest.mark.parametrize("namespace", [WSA, OLD_WSA])
@pytest.mark.parametrize("version", [S11, S12])
def test_soap_gives_the_same_job_for_the_same_message_id(
    binding: IvantiAutomation, namespace: str, version: str
) -> None:
    header = message_id("urn:uuid:1", namespace, f'xmlns:s="{version}" s:mustUnderstand="1"')
    first = by_soap(binding, header, namespace=version)
    # Only the body counts: other headers may tell of the time of day, or of another try.
    again = header + '<Try xmlns="urn:mine">2</Try>'
    assert job_of(by_soap(binding, again, namespace=version)) == job_of(first)
    assert job_of(by_soap(binding, message_id("urn:uuid:2"), namespace=version)) != job_of(first)


@pytest.mark.parametrize(("version", "status"), [(S11, 500), (S12, 400)])
def test_soap_answers_a_fault_for_another_body(binding: IvantiAutomation, version: str, status: int) -> None:
    job_of(by_soap(binding, message_id("urn:uuid:1"), namespace=version))
    answer = by_soap(binding, message_id("urn:uuid:1"), "Something else", version)
    assert answer.status == status
    assert b"<Type>request.key_reused</Type>" in answer.body


def test_the_http_header_goes_before_the_message_id(binding: IvantiAutomation) -> None:
    first = by_soap(binding, message_id("urn:uuid:1"), key="4711")
    assert job_of(by_soap(binding, message_id("urn:uuid:2"), key="4711")) == job_of(first)


def test_message_ids_of_other_namespaces_are_not_ours(binding: IvantiAutomation) -> None:
    header = message_id("urn:uuid:1", "urn:mine")
    assert job_of(by_soap(binding, header)) != job_of(by_soap(binding, header))


def test_headers_that_must_be_understood_are_still_refused(binding: IvantiAutomation) -> None:
    header = message_id("urn:uuid:1") + f'<Security xmlns="urn:s" xmlns:s="{S11}" s:mustUnderstand="1"/>'
    assert b"MustUnderstand" in by_soap(binding, header).body
    assert job_of(by_soap(binding, message_id("urn:uuid:1")))


@pytest.mark.parametrize("is_stored", [True, False])
def test_the_same_key_twice_before_one_commit_is_one_job_or_none(
    binding: IvantiAutomation, datastore: Datastore, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    def fail(_: GroupCommit) -> None:
        raise OSError("the disk is full")

    with datastore.deferring() as deferral:
        first, owed = by_rest(binding, "4711"), deferral.take()
        again, owed_again = by_rest(binding, "4711"), deferral.take()
        with monkeypatch.context() as patch:
            if not is_stored:
                patch.setattr(GroupCommit, "_store", fail)
            deferral.settle()
        assert (owed.pay(), owed_again.pay()) == (is_stored, is_stored)
        assert job_of(first) == job_of(again)
        assert (job_of(by_rest(binding, "4711")) == job_of(first)) is is_stored
