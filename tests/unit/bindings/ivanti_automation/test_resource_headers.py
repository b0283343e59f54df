"""Resource headers: every spelling that a client may send, and nothing that would lead out of the library."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.bindings.ivanti_automation.resource_headers import decode, to_resource_id, to_upload
from dispatcher.core.errors import InvalidValue
from dispatcher.services.uploads import Upload

KEY = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040")
OTHER = UUID("5cf59e5a-343c-4d85-a83c-8b18e4731041")
BRACED = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"


def upload(**headers: str) -> Upload:
    return to_upload({name.replace("_", "-").lower(): value for name, value in headers.items()})


@pytest.mark.parametrize("name", ["resourceid", "resourceguid", "guid", "id", "resource-id", "resource_guid"])
@pytest.mark.parametrize("value", [BRACED, str(KEY), f" {BRACED} ", "%7B5cf59e5a-343c-4d85-a83c-8b18e4731040%7D"])
def test_resource_is_named_in_many_ways(name: str, value: str) -> None:
    assert to_resource_id({name: value}) == KEY
    assert to_upload({name: value}).resource_id == KEY


@pytest.mark.parametrize("headers", [{}, {"id": ""}, {"id": " "}, {"guid": "{00000000-0000-0000-0000-000000000000}"}])
def test_no_resource_is_a_new_one(headers: dict[str, str]) -> None:
    assert to_upload(headers).resource_id is None
    with pytest.raises(InvalidValue, match="ResourceID"):
        to_resource_id(headers)


def test_several_resources_are_refused_unless_they_are_the_same() -> None:
    assert to_resource_id({"id": BRACED, "guid": str(KEY)}) == KEY
    with pytest.raises(InvalidValue, match="several are given"):
        to_resource_id({"id": BRACED, "guid": str(OTHER)})
    with pytest.raises(InvalidValue, match="is no GUID"):
        to_resource_id({"id": f"{BRACED}, {BRACED}"})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tool.exe", "tool.exe"),
        (r"C:\temp\tool.exe", "tool.exe"),
        ("/etc/cron.d/tool", "tool"),
        (r"..\..\tool.exe", "tool.exe"),
        ("../../../tool", "tool"),
        ("..%2F..%2Ftool", "tool"),
        ("..%5Ctool", "tool"),
        (r"\\server\share\tool", "tool"),
        ("=?utf-8?B?Li4vLi4vdG9vbA==?=", "tool"),
        ("Gr\xfc\xdfe.txt", "Gr\xfc\xdfe.txt"),
        ("Gr\u00fc\u00dfe.txt".encode().decode("latin-1"), "Gr\xfc\xdfe.txt"),
        ("Gr%C3%BC%C3%9Fe.txt", "Gr\xfc\xdfe.txt"),
        ("Gr%FC%DFe.txt", "Gr\xfc\xdfe.txt"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe.txt?=", "Gr\xfc\xdfe.txt"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQi50eHQ=?=", "\u65e5\u672c.txt"),
        ("100%.txt", "100%.txt"),
        (" two words ", "two words"),
        (".profile", ".profile"),
        ("console.txt", "console.txt"),
        ("COM10.log", "COM10.log"),
        ("COM0", "COM0"),
        ("%E4%B8%AD" * 85, "\u4e2d" * 85),
        ("=?klingon?B?dG9vbA==?=".replace("?", "!"), "=!klingon!B!dG9vbA==!="),
    ],
)
def test_only_the_name_of_the_file_is_kept(text: str, name: str) -> None:
    assert upload(filename=text).file_name == name
    assert upload(file_name=text).file_name == name


NO_NAMES = ["..", ".", "a/..", "..%2F..", "a/", "C:", "a:b", "a*", "a?", 'a"', "a|b", "%00", "a%0D%0AX-Evil:%201"]


WINDOWS = [
    "CON",
    "con.txt",
    "Aux",
    "nul.tar.gz",
    "PRN .x",
    "COM1",
    "lpt9.log",
    "COM\xb2",
    "CONIN$",
    "a.",
    "a. .",
    "...",
]
BIDI = ["%E2%80%AEtxt.exe", "a%E2%80%8Fb", "a%E2%81%A6b", "a%D8%9Cb"]
HALVES = ["=?utf-7?Q?+2AA-?=.txt", r"=?unicode_escape?Q?\ud800x?=", "a\x80b", "a\x9bb"]
HOSTILE = ["=?klingon?B?dG9vbA==?=", "=?utf-8?B?!!!?=", "=?utf-8?B?a?=", "=?utf-8?B?a?= x", "=?undefined?Q?a?="]
LONG = ["x" * 256, "%E4%B8%AD" * 86]


@pytest.mark.parametrize("text", [*NO_NAMES, "a\tb", *LONG, *HOSTILE, *WINDOWS, *BIDI, *HALVES])
def test_what_is_no_name_of_a_file_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="Filename"):
        upload(filename=text)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_file_without_a_name_is_none(text: str | None) -> None:
    assert to_upload({} if text is None else {"filename": text}).file_name is None


@pytest.mark.parametrize(
    ("headers", "folder", "folder_id"),
    [
        ({}, None, None),
        ({"folder": ""}, "", None),
        ({"folderpath": r"Tools\Old"}, "Tools/Old", None),
        ({"folder": r"\ Tools \\ Old \ "}, "Tools/Old", None),
        ({"folder": "Tools/Old"}, "Tools/Old", None),
        ({"folderguid": BRACED}, None, KEY),
        ({"folderguid": BRACED, "folder": "A"}, "A", KEY),
        ({"folderguid": "{00000000-0000-0000-0000-000000000000}"}, "", None),
        ({"folderguid": ""}, None, None),
    ],
)
def test_folder(headers: dict[str, str], folder: str | None, folder_id: UUID | None) -> None:
    found = to_upload(headers)
    assert (found.folder, found.folder_id) == (folder, folder_id)


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"folder": text}
            for text in (r"..\up", "a/./b", "x" * 701, r"C:\x", "a/b*", 'a"', "a|b", "=?utf-7?Q?+2AA-?=")
        ),
        {"folderpath": "a/%E2%80%AEb"},
        {"folderguid": "A"},
    ],
)
def test_folder_that_is_none(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="Folder"):
        to_upload(headers)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        ("YES", True),
        ("false", False),
        ("0", False),
        ("no", False),
        ("", None),
    ],
)
def test_flags(text: str, flag: bool | None) -> None:
    assert upload(parsevariables=text).parse_variables is flag
    assert upload(parsefilecontent=text).parse_variables is flag
    assert upload(skipenvironmentvariables=text).skip_environment_variables is flag
    assert upload(overwrite=text).overwrite is (flag or False)
    with pytest.raises(InvalidValue, match="Overwrite: '2' is neither true nor false"):
        upload(overwrite="2")


@pytest.mark.parametrize("name", ["description", "comment", "comments"])
def test_description(name: str) -> None:
    assert to_upload({name: "\xe9t\xe9"}).description == "\xe9t\xe9"
    assert to_upload({name: ""}).description == ""
    assert to_upload({}).description is None


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_is_understood_or_refused(text: str) -> None:
    for name in ("filename", "folder", "description", "id", "folderguid", "overwrite"):
        try:
            found: Any = to_upload({name: text})
        except InvalidValue:
            continue
        assert not set("/\\\0\r\n") & set(found.file_name or "")
        assert ".." not in (found.folder or "").split("/")


CHARSETS = [
    "utf-8", "utf-7", "us-ascii", "unicode_escape", "raw_unicode_escape", "punycode", "idna", "utf-16", "utf-32",
    "big5", "unknown-8bit", "utf-8*en", "utf_8_sig", "hz", "iso-2022-jp", "rot13", "hex", "base64", "zlib", "undefined",
    "mbcs", "shift_jis", "none",
]  # fmt: skip
WORDS = st.builds(
    "=?{}?{}?{}?=".format,
    st.sampled_from(CHARSETS),
    st.sampled_from("bBqQ"),
    st.text("aA0=+/_-%, \t\\uUxXD8\xfc\xff~{}&N", max_size=12),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of unicode_escape
@given(st.lists(WORDS | st.text(st.characters(max_codepoint=255), max_size=4), max_size=4).map("".join))
def test_any_encoded_words_are_understood_or_refused(text: str) -> None:
    decode(text)
    for name in ("filename", "folder", "description", "id", "overwrite"):
        try:
            found = to_upload({name: text})
        except InvalidValue as error:
            error.message.encode()
            continue
        for value in (found.file_name, found.folder, found.description):
            (value or "").encode()


@pytest.mark.parametrize(
    ("before", "repeated", "after"),
    [
        ("=?utf-8?Q?", "a", "?="),
        ("", "=?utf-8?Q?a?= ", ""),
        ("", "=?", ""),
        ("=?utf-8?q?a?=", "=?a?b?x", ""),
        ("=?utf-8?q?a?=", " ", "=?"),
        ("=?punycode?Q?", "a9", "?="),
        ("=?idna?Q?xn--", "a9", "?="),
    ],
)
def test_words_cost_linear_time(before: str, repeated: str, after: str) -> None:
    assert_linear(lambda size: decode(before + repeated * (size // len(repeated)) + after), 100_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Gr\xfc\xdfe"),
        ("see =?utf-8?q?a?= and =?utf-8?b?Yg==?=", "see a and b"),
        ("=?utf-8?q?a?=.txt", "a.txt"),
        ("=?utf-8?q?a?= =?utf-8?q?b", "a =?utf-8?q?b"),
    ],
)
def test_blanks_count_but_between_words(text: str, said: str) -> None:
    assert decode(text) == said


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_utf_8_comes_through_in_every_encoding(text: str) -> None:
    from urllib.parse import quote

    assert decode(quote(text, safe="")) == text
