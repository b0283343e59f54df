"""The XML reader: refuses what is too much or not wanted before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from work import assert_linear

from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.xml_reader import read_xml

QUOTAS = Quotas()


def read(text: str | bytes, quotas: Quotas = QUOTAS, charset: str | None = None, *, soap: bool = True) -> Any:
    return read_xml(text.encode() if isinstance(text, str) else text, charset, quotas, soap=soap)


def test_comments_do_not_cut_a_text() -> None:
    root = read("<a>x<!-- no -->y<![CDATA[<z>]]></a>")

    assert root.text == "xy<z>"
    assert len(root) == 0


def test_predefined_and_numeric_references_are_read() -> None:
    assert read("<a>&lt;&amp;&#233;&#xE9;</a>").text == "<&éé"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declaration", ["", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='{}'?>\n"])
def test_unicode_encodings_are_read(encoding: str, declaration: str) -> None:
    document = declaration.format("utf-8" if "8" in encoding else "utf-16") + "<a>é</a>"

    assert read(document.encode(encoding)).text == "é"


@pytest.mark.parametrize(
    "body",
    [
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a>+ADw-b/+AD4-</a>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>',
        b'<?xml version="1.0" encoding="ibm500"?><a/>',
        '<?xml version="1.0" encoding="utf-8"?><a/>'.encode("utf-16"),
        "<a/>".encode("utf-32"),
        b"<a>\xff</a>",
        b"<a>\xed\xa0\x80</a>",
        b"<a>\xc0\xaf</a>",
    ],
)
def test_other_encodings_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body)


def test_undeclared_latin_1_is_read_in_rest_only() -> None:
    assert read(b"<a>\xe9</a>", soap=False).text == "é"
    with pytest.raises(BadRequest, match="not in UTF-8"):
        read(b"<a>\xe9</a>", soap=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<x:a/>",
        "<a>&nbsp;</a>",
        "<a>\0</a>",
        "<a>\x01</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<a>\ufffe</a>",
        " <?xml version='1.0'?><a/>",
    ],
)
def test_what_is_not_well_formed_is_an_error(text: str) -> None:
    with pytest.raises(BadRequest):
        read(text)


@pytest.mark.parametrize("soap", [True, False])
@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE a>",
        "<!DOCTYPE\na SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        "<!-- first --><!DOCTYPE a>",
        "<!DOCTYPE a PUBLIC '-//X' 'http://127.0.0.1:9/x'>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_doctype_is_refused(doctype: str, encoding: str, soap: bool) -> None:
    with pytest.raises(BadRequest, match="DOCTYPE"):
        read((doctype + "<a>x</a>").encode(encoding), soap=soap)


def test_the_word_doctype_is_none() -> None:
    assert read("<a>!DOCTYPE<!-- <!DOCTYPE a> --></a>").text == "!DOCTYPE"


@pytest.mark.parametrize(
    "text", ["<?x?><a/>", "<a><?x y?></a>", "<a/><?x?>", "<?xml version='1.0'?><a><?x?></a>", "<?x?><a>?</a>"]
)
def test_instruction_is_refused_in_soap_and_ignored_in_rest(text: str) -> None:
    with pytest.raises(BadRequest, match="processing instructions"):
        read(text, soap=True)
    assert read(text, soap=False).tag == "a"


def test_declaration_and_question_marks_are_no_instruction() -> None:
    assert read("<?xml version='1.0'?><a b='?'>who? why?</a>").text == "who? why?"


def nested(depth: int) -> str:
    return "<a>" * depth + "</a>" * depth


def wide(count: int) -> str:
    return f"<a>{'<b/>' * (count - 1)}</a>"


def attributes(count: int) -> str:
    return "<a " + " ".join(f'b{number}="1"' for number in range(count)) + "/>"


@pytest.mark.parametrize(
    ("make", "limit", "words"),
    [(nested, 32, "depth"), (wide, 50_000, "elements"), (attributes, 64, "attributes of one element")],
)
def test_shape_is_limited(make: Callable[[int], str], limit: int, words: str) -> None:
    assert read(make(limit)) is not None
    with pytest.raises(QuotaExceeded, match=f"{words}, at most {limit}"):
        read(make(limit + 1))


def test_many_elements_one_in_another_are_too_deep() -> None:
    with pytest.raises(QuotaExceeded, match="depth, at most 32"):
        read(f"<r>{wide(3_000)}{nested(32)}</r>")


@pytest.mark.parametrize(
    "text",
    [
        f"<{'a' * 16_385}/>",
        f"<a {'b' * 16_385}='1'/>",
        "<r>" + "".join(f"<{'a' * 100}{number}/>" for number in range(200)) + "</r>",
    ],
)
def test_names_are_limited(text: str) -> None:
    with pytest.raises(QuotaExceeded, match="characters of names, at most 16384"):
        read(text)


def test_equal_names_count_once() -> None:
    assert len(read("<r>" + f"<{'a' * 100}/>" * 1_000 + "</r>")) == 1_000


@pytest.mark.parametrize("attribute", ["xmlns", "xmlns:p"])
def test_namespaces_are_limited(attribute: str) -> None:
    # Every element's name repeats its namespace: long ones would make the decoder's cost quadratic.
    with pytest.raises(QuotaExceeded, match="the name of a namespace, at most 1024"):
        read(f'<a {attribute}="{"u" * 20_000}"/>')


@pytest.mark.parametrize(
    "text", ["<a>{}</a>", "<a b='{}'/>", "<a><![CDATA[{}]]></a>", "<a>x<!-- -->{}</a>", "<a><b/>{}</a>"]
)
def test_strings_are_limited(text: str) -> None:
    small = replace(QUOTAS, string_chars=1_000, xml_name_chars=900)

    assert read(text.format("x" * 900), small) is not None
    with pytest.raises(QuotaExceeded, match="characters of one string, at most 1000"):
        read(text.format("x" * 1_001), small)


def test_message_is_limited() -> None:
    with pytest.raises(QuotaExceeded, match="larger than 10 bytes"):
        read("<a>1234</a>", replace(QUOTAS, message_bytes=10))


HOSTILE: dict[str, Callable[[int], str]] = {
    "width": lambda n: f"<a>{'<b/>' * (n // 4)}",
    "depth": lambda n: "<a>" * (n // 3),
    "attributes": lambda n: "<a " + " ".join(f"b{number}=''" for number in range(n // 10)) + "/>",
    "equal attributes": lambda n: "<a " + 'b="" ' * (n // 5),
    "names": lambda n: "<r>" + "".join(f"<a{number}/>" for number in range(n // 10)),
    "one name": lambda n: f"<{'a' * n}",
    "namespaces": lambda n: "<r>" + "".join(f"<a xmlns='u{number}'/>" for number in range(n // 20)),
    "prefixes": lambda n: "<r " + " ".join(f"xmlns:p{number}='u'" for number in range(n // 15)) + "/>",
    "long namespace": lambda n: f"<r xmlns='{'u' * (n // 2)}'>{'<b/>' * (n // 8)}</r>",
    "comments": lambda n: f"<a>{'x<!-- -->' * (n // 9)}</a>",
    "one comment": lambda n: f"<a><!--{'- ' * (n // 2)}",
    "sections": lambda n: f"<a>{'<![CDATA[x]]>' * (n // 13)}</a>",
    "references": lambda n: f"<a>{'&lt;' * (n // 4)}</a>",
    "open sections": lambda n: "<![CDATA[" * (n // 9),
    "brackets": lambda n: "<" * n,
    "ampersands": lambda n: f"<a>{'&' * n}",
    "closing brackets": lambda n: f"<a>{']]>' * (n // 3)}</a>",
    "declaration": lambda n: f"<?xml version='1.0'{' ' * n}",
    "instructions": lambda n: f"<a>{'<?x?>' * (n // 5)}</a>",
    "doctype": lambda n: "<!DOCTYPE a [" + "<!ENTITY x 'y'>" * (n // 15),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_cost_is_linear(make: Callable[[int], str]) -> None:
    def work(size: int) -> None:
        try:
            read(make(size), soap=False)
        except BadRequest:
            return

    assert_linear(work)


@given(st.binary(max_size=100), st.booleans())
def test_no_bytes_break_it(body: bytes, soap: bool) -> None:
    try:
        read(body, soap=soap)
    except BadRequest:
        return


@given(
    st.lists(
        st.sampled_from(
            ["<", ">", "/", "a", "<a>", "</a>", "=", "'", '"', "&", ";", "#", "<?", "?>", "<!", "--", "[", "]", " "]
        ),
        max_size=15,
    ).map("".join),
    st.booleans(),
)
def test_no_arrangement_of_its_characters_breaks_it(text: str, soap: bool) -> None:
    try:
        found = read(f"<r>{text}</r>", soap=soap)
    except BadRequest:
        return
    assert isinstance(found, etree._Element)
