"""Targets: one per codec. Each takes any bytes and fails if something else than the declared errors comes out.

Where there is a way back, what was read is written, read again and compared.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote
from uuid import UUID
from zoneinfo import ZoneInfo

from fuzz import endpoints, exastro, exastro_seeds, loose, seeds, shapes
from pydantic import ValidationError
from wire_values import plain

from dispatcher import snmp
from dispatcher.agents import protocol
from dispatcher.agents.translate import to_facts, to_report
from dispatcher.bindings.ivanti_automation.contract import Job
from dispatcher.bindings.ivanti_automation.resource_headers import to_resource_id, to_upload
from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.bindings.opsramp.contract import SearchWords
from dispatcher.bindings.opsramp.translate import to_query
from dispatcher.bindings.symantec_ccs.attributes import to_terms
from dispatcher.bindings.symantec_ccs.contract import FolderSearch, JobSearch
from dispatcher.bindings.symantec_ccs.translate import to_logins, to_passwords
from dispatcher.core import recurrence, recurrence_text, team_rules, windows
from dispatcher.core import rules as core_rules
from dispatcher.core.errors import BadRequest, InvalidValue
from dispatcher.services.library import source
from dispatcher.services.library.problems import Problems
from dispatcher.services.opsramp.queries import MAX_PAGE_SIZE, paged
from dispatcher.services.security import Credentials, to_credentials
from dispatcher.services.symantec_ccs.terms import fit
from dispatcher.wire import guids, scalars
from dispatcher.wire.charsets import to_utf_8
from dispatcher.wire.dates import format_json, format_xml, parse_moment
from dispatcher.wire.json_codec import encode_json, json_decoder
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.negotiation import Format, answer_format, body_format
from dispatcher.wire.operations import operations_of
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.scalars import WrongValue
from dispatcher.wire.types import array_of
from dispatcher.wire.xml_codec import encode_xml, xml_decoder
from dispatcher.wire.xml_reader import read_xml

#: The types that requests are read into, and what holds everything else.
BODIES = list(
    {
        dict(one.arguments)[one.route.body]: None
        for one in operations_of(SchedulingService).values()
        if one.route.body is not None
    }
)
#: Made once: a model and what is compiled for it stay for ever.
_JOBS = array_of(Job)
_QUOTAS = Quotas()
#: A message in UTF-8 that is in no other encoding.
_SAID = "<ä/>".encode()
_SITE = ZoneInfo("Europe/Berlin")
_ZONES = (UTC, _SITE, timezone(timedelta(hours=14)), timezone(-timedelta(hours=14)))


@dataclass(frozen=True, slots=True)
class Target:
    """What is fuzzed: *run* takes the bytes; *seeds* are good inputs; *words* are what its language is made of."""

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[str, ...] = ()


def _text(data: bytes) -> str:
    """Return *data* as a text with any characters, as headers (Latin-1) and bodies (UTF-8) give them."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _forget(*functions: Any) -> None:
    """Let *functions* work anew: what they remember costs nothing."""
    for function in functions:
        function.cache_clear()


def _told(wrong: WrongValue) -> None:
    """The error names a member and is short, whatever it quotes."""
    assert wrong.named().message
    assert len(wrong.problem) < 300


def xml(data: bytes) -> None:
    try:
        root = read_xml(data, None, _QUOTAS, soap=False)
    except BadRequest:
        return
    for model in BODIES:
        try:
            value = xml_decoder(model)(root, _SITE)
        except WrongValue as wrong:
            _told(wrong)
            continue
        again = xml_decoder(model)(read_xml(encode_xml(model, value), None, _QUOTAS, soap=True), UTC)
        assert plain(again) == plain(value)


def json_body(data: bytes) -> None:
    try:
        document = read_json(data, None, _QUOTAS, latin_1=True)
    except BadRequest:
        return
    for model in [*BODIES, _JOBS]:
        try:
            value = json_decoder(model)(document, _SITE)
        except WrongValue as wrong:
            _told(wrong)
            continue
        # A date in JSON has whole milliseconds: what has been written once is written alike for ever.
        once = encode_json(model, value)
        assert once == encode_json(model, json_decoder(model)(read_json(once, "utf-8", _QUOTAS), UTC))
        assert json.loads(once) is not None


def soap(data: bytes) -> None:
    endpoints.send_soap(data)


def rest(data: bytes) -> None:
    endpoints.send_rest(data)


def json_api(data: bytes) -> None:
    endpoints.send_json(data)


def json_dialects(data: bytes) -> None:
    endpoints.send_to_dialects(data)


def ccs_queries(data: bytes) -> None:
    text = _text(data)
    try:
        words = JobSearch.words_of(text)
    except InvalidValue:
        return
    assert all(name == name.lower() == name.strip(" /") for name in words)
    with suppress(ValidationError):
        JobSearch.model_validate(words)
    with suppress(ValidationError):
        FolderSearch.model_validate(words)
    for search in (text, *words.values()):
        try:
            terms = to_terms(search)
        except InvalidValue:
            continue
        assert all(one.attribute == one.attribute.lower() for one in terms)
        again = ",".join(f"{one.attribute} {one.operator.value} {one.value}" for one in terms)
        assert to_terms(again) == terms
        assert fit(terms, {one.attribute: [one.value] for one in terms}) in (True, False)


def ccs_log_ins(data: bytes) -> None:
    name, _, password = _text(data).partition("\n")
    names, passwords = to_logins(name), to_passwords(password)
    assert names[0] == name.strip()
    assert "\\" not in names[-1]
    assert len(names) == 3
    assert passwords[0] == password
    assert len(passwords) == len(set(passwords)) <= 4
    encoded = base64.b64encode(password.encode("utf-8", "surrogatepass")).decode()
    if not re.search("[\ud800-\udfff]", password):
        assert password in to_passwords(encoded)
        assert password in to_passwords(quote(password))
        assert password in to_passwords(quote(encoded))


def opsramp_queries(data: bytes) -> None:
    words = dict(parse_qsl(_text(data), keep_blank_values=True))
    try:
        query = to_query(SearchWords.model_validate(words))
    except ValidationError:
        return
    assert query.page >= 1
    assert 1 <= query.page_size <= MAX_PAGE_SIZE
    assert all(name == name.strip().casefold() and value == value.strip() for name, value in query.filters.items())
    fields = dict.fromkeys(query.filters, str) | {"id": str}
    found = [one for one in ("", *query.filters.values()) if query.fits(one, fields)]
    assert len(paged(found, query, fields).items) <= query.page_size


def resource_headers(data: bytes) -> None:
    pairs = (line.partition(b":") for line in data.split(b"\n"))
    headers = {name.decode("latin-1").strip().lower(): value.decode("latin-1").strip() for name, _, value in pairs}
    with suppress(InvalidValue):
        to_resource_id(headers)
    try:
        upload = to_upload(headers)
    except InvalidValue:
        return
    for part in (upload.file_name or "x", *(upload.folder or "x").split("/")):
        assert not re.search(r"[\x00-\x1f/\\]", part)
        assert part not in (".", "..")


def media_types(data: bytes) -> None:
    _forget(answer_format, body_format)
    accept, _, content_type = data.decode("latin-1").partition("\n")
    assert isinstance(answer_format(accept, content_type), Format)
    form, charset = body_format(content_type)
    assert form is None or isinstance(form, Format)
    assert charset is None or isinstance(charset, str)
    read = None
    with suppress(BadRequest):
        read = to_utf_8(_SAID, charset, latin_1=False)
    # What says nothing, or an encoding that agrees with it, is read as it stands; all else is refused.
    agrees = (charset or "utf-8").strip("\"' ").lower() in ("utf-8", "utf8", "us-ascii", "ascii")
    assert read == (_SAID if agrees else None)


def credentials(data: bytes) -> None:
    header = data.decode("latin-1")
    found = to_credentials(header)
    if found is not None:
        sent = base64.b64encode(f"{found.name}:{found.password}".encode()).decode()
        assert to_credentials(f"Basic {sent}") == found
        assert isinstance(found, Credentials)
    agent = protocol.parse_credentials(header)
    if agent is not None:
        assert protocol.parse_credentials(protocol.credentials(*agent)) == agent


def dates(data: bytes) -> None:
    text = _text(data)
    for zone in _ZONES:
        try:
            moment = parse_moment(text, zone)
        except ValueError:
            continue
        if moment is None:
            continue
        assert moment.tzinfo is UTC
        assert moment.year >= 2
        assert parse_moment(format_xml(moment), UTC) == moment
        written = format_json(moment, UTC)
        assert parse_moment(written, zone) == moment - timedelta(microseconds=moment.microsecond % 1000)
        assert re.fullmatch(r"/Date\(-?[0-9]+[+-][0-9]{4}\)/", format_json(moment, zone))


def single_values(data: bytes) -> None:
    text = _text(data)
    for read in (scalars.read_flag, scalars.read_number, scalars.read_long, scalars.read_bytes, scalars.read_text):
        try:
            value = read(text)
        except WrongValue as wrong:
            _told(wrong)
            continue
        if isinstance(value, int):
            assert read(str(value)) == value
        elif isinstance(value, bytes):
            assert read(base64.b64encode(value).decode()) == value
    for name, types in _ENUMERATIONS:
        try:
            number = types(text)
        except WrongValue:
            continue
        assert number is None or types(str(number)) == number, name


def guid(data: bytes) -> None:
    text = _text(data)
    found = guids.find_guid(text)
    if found is not None:
        assert guids.find_guid(guids.format_guid(found)) == found
        assert guids.parse_guid(text, "ID") == found
    else:
        try:
            guids.parse_guid(text, "ID")
        except InvalidValue:
            return
        raise AssertionError(f"a GUID of nothing: {text!r}")


def library(data: bytes) -> None:
    problems = Problems()
    read = source.read("library.yaml", data, problems)
    assert (read is None) <= bool(problems.found)
    for problem in problems.found:
        assert str(problem).isprintable()
    if read is not None:
        json.dumps(read.data)


def agent_messages(data: bytes) -> None:
    for message in (protocol.Enrol, protocol.Poll, protocol.Report, protocol.FindResource, protocol.Orders):
        try:
            said = message.model_validate_json(data)
        except ValidationError as error:
            error.errors(include_input=False, include_url=False)
            continue
        assert message.model_validate_json(protocol.dump(said)) == said
        if isinstance(said, protocol.Report):
            to_report(UUID(int=0), said)
        elif isinstance(said, (protocol.Poll, protocol.Enrol)) and said.facts is not None:
            to_facts(said.facts)


def recurrences(data: bytes) -> None:
    text = _text(data)
    try:
        read = recurrence_text.parse(text)
    except InvalidValue:
        return
    assert recurrence_text.parse(str(read)) == read
    try:
        meant = recurrence.parse(text)
    except InvalidValue:
        return
    first = meant.after(datetime(2026, 1, 1, tzinfo=UTC))
    assert first is None or first.tzinfo is UTC
    assert recurrence.parse(str(meant)).after(datetime(2026, 1, 1, tzinfo=UTC)) == first


def launch_windows(data: bytes) -> None:
    _forget(windows.parse)
    text = _text(data)
    try:
        window = windows.parse(text)
    except InvalidValue:
        pass
    else:
        assert windows.parse(str(window)) == window
    with suppress(InvalidValue):
        windows.parse_rule(text)


def rules(data: bytes) -> None:
    _forget(core_rules.parse)
    try:
        rule = team_rules.parse(_text(data))
    except InvalidValue:
        return
    assert rule.fits({"name": "PC-042", "os": "linux", "online": True, "fact.cores": "8"}) in (True, False)


def snmp_messages(data: bytes) -> None:
    try:
        trap = snmp.read(data)
    except snmp.Malformed:
        return
    assert trap.community in data
    if trap.answer is not None:  # an inform, but for what it is
        assert len(trap.answer) <= len(data)
        assert sum(one != other for one, other in zip(trap.answer, data, strict=False)) == 1


_ENUMERATIONS = [(name, scalars.enum_reader(members)) for name, members in seeds.enumerations()]

TARGETS = {
    one.name: one
    for one in (
        Target("xml", xml, seeds.xml_bodies, seeds.XML_WORDS),
        Target("xml_shapes", shapes.messages, seeds.xml_bodies, seeds.XML_WORDS),
        Target("json", json_body, seeds.json_bodies, seeds.JSON_WORDS),
        Target("loose_json", loose.texts, loose.text_seeds, loose.TEXT_WORDS),
        Target("odata_queries", loose.queries, loose.query_seeds, loose.QUERY_WORDS),
        Target("soap", soap, seeds.envelopes, seeds.SOAP_WORDS),
        Target("rest", rest, seeds.rest_requests, seeds.REST_WORDS),
        Target("json_api", json_api, seeds.json_requests, seeds.JSON_API_WORDS),
        Target("json_dialects", json_dialects, seeds.dialect_requests, seeds.DIALECT_WORDS),
        Target("ccs_queries", ccs_queries, seeds.ccs_queries, seeds.CCS_WORDS),
        Target("ccs_log_ins", ccs_log_ins, seeds.ccs_log_ins, ("%", "%25", "%00", "\\", "%5C", "=", "\n")),
        Target("exastro_records", exastro.records, exastro_seeds.records, exastro_seeds.WORDS),
        Target("exastro_filters", exastro.filters, exastro_seeds.filters, exastro_seeds.WORDS),
        Target("exastro_orders", exastro.orders, exastro_seeds.orders, exastro_seeds.WORDS),
        Target("opsramp_queries", opsramp_queries, seeds.opsramp_queries, seeds.OPSRAMP_WORDS),
        Target("resource_headers", resource_headers, seeds.resource_headers, seeds.HEADER_WORDS),
        Target("media_types", media_types, seeds.media_types, seeds.MEDIA_WORDS),
        Target("credentials", credentials, seeds.credentials, ("Basic ", "Agent ", ":", "=")),
        Target("dates", dates, seeds.dates, ("/Date(", ")/", "T", "Z", "+", "-", ":", "W", "0001", "9999", "24:00")),
        Target("single_values", single_values, seeds.single_values, ("true", "false", "=", "-", "Module")),
        Target("guid", guid, seeds.guid_texts, ("{", "}", "(", ")", "-", "0000")),
        Target("library", library, seeds.libraries, seeds.YAML_WORDS),
        Target("agent_messages", agent_messages, seeds.agent_messages, seeds.AGENT_WORDS),
        Target("recurrences", recurrences, seeds.recurrences, seeds.RECURRENCE_WORDS),
        Target("launch_windows", launch_windows, seeds.windows, ("Mon", "Sun", "-", ":", ";", ",", "LaunchWindow")),
        Target("rules", rules, seeds.rules, seeds.RULE_WORDS),
        Target("snmp_messages", snmp_messages, seeds.snmp_messages, seeds.SNMP_WORDS),
    )
}
