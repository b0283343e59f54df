"""Hostile XML: refused at every address, in the shape of that address, and nothing is stored."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile_world import JOB_XML, NOBODY, REST_XML, SOAP_ADDRESSES, WHAT_XML, XML_ADDRESSES, Address, Door
from work import assert_linear

BY_NAME = {"argvalues": XML_ADDRESSES, "ids": lambda address: address.name}
everywhere = pytest.mark.parametrize("address", **BY_NAME)
over_soap = pytest.mark.parametrize("address", SOAP_ADDRESSES, ids=lambda address: address.name)


@pytest.fixture(autouse=True)
def _nothing_is_left(door: Door, stored: Callable[[], dict[str, int]]) -> Iterator[None]:
    before = stored()
    yield
    assert stored() == before


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary"
    path.write_text("the canary sings")
    return path


@pytest.fixture
def trap() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a listener, and who came there."""
    visits: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    visitor, _ = listener.accept()
                except OSError:
                    return
                with visitor:
                    visitor.settimeout(1)
                    visits.append(visitor.recv(100))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x", visits
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        assert not thread.is_alive()


@everywhere
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_external_entity_from_a_file(door: Door, address: Address, canary: Path, encoding: str) -> None:
    prolog = f'<!DOCTYPE x [<!ENTITY canary SYSTEM "{canary.as_uri()}">]>'
    message = address.wrap(f"<Description>&canary;</Description>{JOB_XML}", prolog)

    text = door.refuses(address, message.encode(encoding), content_type=address.content_type.split(";")[0])

    assert "DOCTYPE" in text
    assert "sings" not in text


@everywhere
@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE x [<!ENTITY e SYSTEM "{}">]>',
        '<!DOCTYPE x SYSTEM "{}">',
        '<!DOCTYPE x PUBLIC "-//X//EN" "{}">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "{}"> %p;]>',
        "<!DOCTYPE x [<!ENTITY % p \"<!ENTITY e SYSTEM '{}'>\"> %p;]>",
    ],
)
def test_nothing_is_fetched(door: Door, address: Address, trap: tuple[str, list[bytes]], prolog: str) -> None:
    url, visits = trap

    assert "DOCTYPE" in door.refuses(address, address.wrap(f"<Tags>&e;</Tags>{JOB_XML}", prolog.format(url)))
    assert visits == []


@everywhere
def test_schema_locations_and_inclusions_are_nothing(
    door: Door, address: Address, trap: tuple[str, list[bytes]]
) -> None:
    url, visits = trap
    hints = (
        f'<a xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:x {url}"/>'
        f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{url}" parse="text"/>'
    )

    door.refuses(address, address.wrap(hints))
    assert visits == []


@everywhere
@pytest.mark.parametrize(
    "entities",
    [
        "<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n + 1} '" + f"&l{n};" * 10 + "'>" for n in range(9)),
        f"<!ENTITY l9 '{'x' * 100_000}'>",
        "<!ENTITY l9 '&l9;'>",
    ],
    ids=["billion laughs", "quadratic", "endless"],
)
def test_entity_bombs(door: Door, address: Address, entities: str) -> None:
    message = address.wrap(f"<Description>{'&l9;' * 1_000}</Description>", f"<!DOCTYPE x [{entities}]>")

    # With this header the base address need not look far for an envelope.
    assert "DOCTYPE" in door.refuses(address, message, soapaction='""')


@everywhere
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<a>" * 40 + "</a>" * 40, "depth, at most 32"),
        ("<a>" * 100_000, "depth, at most 32"),
        ("<a/>" * 60_000, "elements, at most 50000"),
        ("<a " + " ".join(f'b{number}=""' for number in range(65)) + "/>", "attributes of one element, at most 64"),
        (
            "<a " + " ".join(f'b{number}=""' for number in range(100_000)) + "/>",
            "attributes of one element, at most 64",
        ),
        ("".join(f"<abcdefgh{n}/>" for n in range(5_000)), "characters of names, at most 16384"),
        (f"<{'a' * 1_000_000}/>", "characters of names, at most 16384"),
        (f'<a xmlns="{"u" * 1_000_000}">{"<b/>" * 10_000}</a>', "the name of a namespace, at most 1024"),
        (f"<Description>{'x' * 1_100_000}</Description>", "characters of one string, at most 1048576"),
        (f"<Description>{'x' * 5_000_000}</Description>", "larger than 4194304 bytes"),
    ],
    ids=[
        "depth",
        "abyss",
        "width",
        "attributes",
        "many attributes",
        "names",
        "long name",
        "namespace",
        "string",
        "size",
    ],
)
def test_shape_bombs(door: Door, address: Address, content: str, words: str) -> None:
    assert words in door.refuses(address, address.wrap(content))


@everywhere
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \r\n ",
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"<",
        b"<a",
        b"<a>",
        b"</a>",
        b"<?xml version='1.0'?>",
        b"<?xml version='9.9'?><a/>",
        b"{}",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        b"--boundary\r\nContent-Type: text/xml\r\n\r\n<a/>",
    ],
)
def test_what_is_no_message(door: Door, address: Address, body: bytes) -> None:
    assert door.refuses(address, body)


@everywhere
@pytest.mark.parametrize(
    "text",
    ["\0", "\x01", "\x1b", "&#0;", "&#1;", "&#xD800;", "&#xDFFF;", "&#xFFFF;", "&nbsp;", "\ufffe", "&", "]]>", "<"],
)
def test_characters_that_xml_forbids(door: Door, address: Address, text: str) -> None:
    assert "cannot be read" in door.refuses(address, address.wrap(f"<Description>a{text}b</Description>{JOB_XML}"))


@everywhere
@pytest.mark.parametrize(
    ("charset", "encoding", "declared"),
    [
        ("utf-7", "utf-7", ""),
        ("", "utf-8", "utf-7"),
        ("utf-32", "utf-32", ""),
        ("", "utf-32", ""),
        ("utf-16", "utf-8", ""),
        ("utf-8", "utf-16", ""),
        ("", "utf-8", "utf-16"),
        ("", "cp500", "cp500"),
        ("iso-2022-kr", "utf-8", ""),
        ("", "utf-8", "no-such-thing"),
        ("no-such-thing", "utf-8", ""),
    ],
)
def test_encodings_that_are_foreign_or_do_not_agree(
    door: Door, address: Address, charset: str, encoding: str, declared: str
) -> None:
    prolog = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    media = address.content_type.split(";")[0] + (f"; charset={charset}" if charset else "")

    assert door.refuses(address, address.wrap(JOB_XML, prolog).encode(encoding), content_type=media)


@everywhere
@pytest.mark.parametrize("raw", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_broken_utf_8(door: Door, address: Address, raw: bytes) -> None:
    message = address.wrap("<Description>a?b</Description>").encode().replace(b"a?b", raw)

    assert "UTF-8" in door.refuses(
        address, message, content_type=address.content_type.split(";")[0] + "; charset=utf-8"
    )


@everywhere
@pytest.mark.parametrize(
    "content",
    [
        "<What><JobWhat><Type>Bomb</Type></JobWhat></What>",
        "<What><JobWhat><ID>x</ID></JobWhat></What>",
        f"{WHAT_XML}<Who><JobWho><ID>{'x' * 100_000}</ID></JobWho></Who>",
        f"{WHAT_XML}<Who><JobWho><ID>{NOBODY}</ID></JobWho></Who>",
        f"<What><JobWhat><ID>{NOBODY}</ID></JobWhat></What>",
        "<When><ScheduledDateTime>9999-12-31T23:59:59-14:00</ScheduledDateTime></When>",
        "<When><Immediate>maybe</Immediate></When>",
        "<Description><x/></Description>",
    ],
)
def test_values_that_make_no_sense(door: Door, address: Address, content: str) -> None:
    assert len(door.refuses(address, address.wrap(content))) < 1_500


@over_soap
@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda text: text.replace("</s:Body>", "</s:Body><s:Body/>"), "2 bodies"),
        (lambda text: text.replace("<s:Body>", "<s:Body><GetJobs/>"), "2 elements"),
        (lambda text: text.replace("ScheduleJob>", "Dance>"), "no operation Dance"),
        (lambda text: text.replace("s:Body>", "Body>"), "0 bodies"),
        (lambda text: text.replace("s:Envelope", "s:Envelop"), "no SOAP envelope"),
        (
            lambda text: text.replace("<s:Body>", "<s:Header><a xmlns='u' s:mustUnderstand='1'/></s:Header><s:Body>"),
            "understood",
        ),
        (lambda text: text.replace("<s:Body>", "<?php x?><s:Body>"), "processing instructions"),
        (lambda text: f"<?xml-stylesheet href='x'?>{text}", "processing instructions"),
    ],
)
def test_envelopes(door: Door, address: Address, broken: Callable[[str], str], words: str) -> None:
    # With this header even the base address takes for SOAP what is none.
    assert words in door.refuses(address, broken(address.wrap(JOB_XML)), soapaction='""')


@over_soap
def test_empty_body(door: Door, address: Address) -> None:
    for body in ("<s:Body/>", "<s:Body></s:Body>", "<s:Body>x</s:Body>", ""):
        envelope = f'<s:Envelope xmlns:s="{address.namespace}">{body}</s:Envelope>'
        assert "in place of one" in door.refuses(address, envelope)


@over_soap
@pytest.mark.parametrize(
    "action", ["http://tempuri.org/ISchedulingService/ScheduleJob", "'; DROP TABLE job", "\u00ff" * 100]
)
def test_action_cannot_choose_the_operation(door: Door, address: Address, action: str) -> None:
    envelope = address.wrap(JOB_XML).replace("ScheduleJob>", "GetModules>")

    answer = door.ask(address, envelope, soapaction=f'"{action}"')

    assert answer.status == 200
    assert b"<GetModulesResponse" in answer.body


@everywhere
def test_every_beginning_of_a_message(door: Door, address: Address) -> None:
    message = address.wrap(JOB_XML, "<?xml version='1.0' encoding='utf-8'?>").encode()

    for length in range(len(message)):
        assert door.refuses(address, message[:length])


HOSTILE: dict[str, Callable[[int], str]] = {
    "unknown members": lambda n: "<a/>" * (n // 4),
    "namespaces": lambda n: "".join(f'<a xmlns="urn:{number}"/>' for number in range(n // 20)),
    "long namespace": lambda n: f'<a xmlns="{"u" * (n // 2)}">{"<b/>" * (n // 8)}</a>',
    "the same member": lambda n: "<Description>x</Description>" * (n // 28),
    "empty items": lambda n: f"<Parameters>{'<a/>' * (n // 4)}</Parameters><When><Immediate>maybe</Immediate></When>",
    "attributes": lambda n: '<a b="" c="" d="" e="" f="" g="" h=""/>' * (n // 40),
    "references": lambda n: f"<Description>{'&#65;' * (n // 5)}</Description>",
    "comments": lambda n: f"<Description>{'x<!---->' * (n // 8)}</Description>",
    "blanks": lambda n: " " * n,
    "base64": lambda n: f"<Xml>{'A' * n}</Xml>",
}


@pytest.mark.parametrize("address", [SOAP_ADDRESSES[0], REST_XML], ids=lambda address: address.name)
@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_cost_is_linear(door: Door, address: Address, make: Callable[[int], str]) -> None:
    assert_linear(lambda n: door.refuses(address, address.wrap(make(n))), 200_000)
