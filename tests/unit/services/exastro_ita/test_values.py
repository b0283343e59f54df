"""Values: what is sent is stored if it fits its column, said to be wrong in the vendor's words if not, and shown."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from exastro_world import a_column, a_menu
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.columns_of.devices import DEVICES
from dispatcher.services.exastro_ita.messages import Message
from dispatcher.services.exastro_ita.records import Record
from dispatcher.services.exastro_ita.sent_values import Unfit
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.secrets import MASK, Secrets

SECRETS = Secrets(b"k" * 32)
TOKYO = ZoneInfo("Asia/Tokyo")
LINE, LINES = r"^[^\t\r\n]*$", r"^[^\t]*$"
NUMBER = r"^((-[1-9])?[0-9]{0,}|-0)(\.[0-9]{0,})?$"


class FewLists:
    """The lists of one column each: ``colours``, where two are called ``grey``."""

    texts = {"1": "red", "2": "green", "3": "grey", "4": "grey"}

    def id_of(self, name: str, text: str) -> str | None:
        found = [key for key, one in self.texts.items() if name == "colours" and one == text]
        return found[0] if len(found) == 1 else None

    def text_of(self, name: str, key: str) -> str:
        return self.texts.get(key, f"gone {name} {key}")


FORMS = Forms(FewLists(), TOKYO, SECRETS, "ja")  # type: ignore[arg-type]


def stored(kind: Kind, sent: Any, **rest: Any) -> Any:
    return FORMS.stored(a_column("x", kind, **rest), sent)


def wrong(kind: Kind, sent: Any, **rest: Any) -> Message:
    with pytest.raises(Unfit) as caught:
        stored(kind, sent, **rest)
    return caught.value.message


def m(key: str, *values: object) -> Message:
    return Message(key, values)


@pytest.mark.parametrize("kind", list(Kind))
def test_nothing_stays_nothing(kind: Kind) -> None:
    assert stored(kind, None) is None
    assert FORMS.shown(a_column("x", kind), None) is None


def test_texts_are_measured_in_bytes() -> None:
    assert stored(Kind.TEXT, "ああ", max_bytes=8) == "ああ"
    assert wrong(Kind.TEXT, "あああ", max_bytes=8) == m("MSG-00008", 8, 9)
    assert wrong(Kind.REMARKS, "x" * 4001, max_bytes=4000) == m("MSG-00008", 4000, 4001)
    assert stored(Kind.TEXT, "") == ""


@pytest.mark.parametrize(
    ("kind", "sent", "message"),
    [
        (Kind.TEXT, "a\nb", m("MSG-00009", LINE, "a\nb")),
        (Kind.LINK, "a\tb", m("MSG-00009", LINE, "a\tb")),
        (Kind.LINES, "a\tb", m("MSG-00009", LINES, "a\tb")),
        (Kind.TEXT, "a\x00", m("MSG-00009", r"^[^\x{0}]*$", "a\x00")),
        (Kind.LINES, "\ud800", m("MSG-00009", r"^[^\x{D800}]*$", r"\ud800")),
        (Kind.TEXT, ["a"], m("MSG-00032", "['a']")),
        (Kind.PASSWORD, "a\nb", m("MSG-00009", LINE, MASK)),
        (Kind.FILE, "../x", m("MSG-00009", r"^[^,\"\t\/\r\n]*$", "../x")),
        (Kind.FILE, "x" * 256, m("MSG-00008", 255, 256)),
        (Kind.INTEGER, "1.5", m("MSG-00031", "1.5")),
        (Kind.INTEGER, "", m("MSG-00031", "")),
        (Kind.INTEGER, True, m("MSG-00031", "True")),
        (Kind.INTEGER, math.nan, m("MSG-00031", "nan")),
        (Kind.INTEGER, 2**31, m("MSG-00019", -(2**31), 2**31 - 1, "2147483648")),
        pytest.param(Kind.INTEGER, 10**5000, m("MSG-00019", -(2**31), 2**31 - 1, "..."), id="many digits"),
        (Kind.NUMBER, "1e3", m("MSG-00009", NUMBER, "1e3")),
        (Kind.NUMBER, ".", m("MSG-00009", NUMBER, ".")),
        (Kind.NUMBER, "9" * 400, m("MSG-00009", NUMBER, "9" * 400)),
        (Kind.DATE, "2031-01-01", m("MSG-00002", "YYYY/MM/DD", "2031-01-01")),
        (Kind.DATE, "2031/02/30", m("MSG-00002", "YYYY/MM/DD", "2031/02/30")),
        (Kind.DATE, "0999/12/31", m("MSG-00003", "1000/01/01", "9999/12/31", "0999/12/31")),
        (Kind.MOMENT, "2031/02/01 24:00", m("MSG-00002", "YYYY/MM/DD hh:mm:ss", "2031/02/01 24:00")),
        (Kind.MOMENT, 20310201, m("MSG-00002", "YYYY/MM/DD hh:mm:ss", "20310201")),
        (
            Kind.MOMENT,
            "0999/01/01",
            m("MSG-00003", "1000/01/01 00:00:00", "9999/12/31 23:59:59", "0999/01/01"),
        ),
    ],
)
def test_what_does_not_fit_is_told_as_the_vendor_does(kind: Kind, sent: Any, message: Message) -> None:
    assert wrong(kind, sent) == message


def test_limits_and_patterns_of_columns() -> None:
    assert wrong(Kind.INTEGER, "65536", least=0, most=65535) == m("MSG-00019", 0, 65535, "65536")
    assert stored(Kind.INTEGER, " 65535 ", least=0, most=65535) == 65535
    assert wrong(Kind.NUMBER, "0.4", least=0.5) == m("MSG-00020", 0.5, "0.4")
    assert wrong(Kind.NUMBER, 2, most=1.5) == m("MSG-00021", 1.5, "2")
    assert wrong(Kind.NUMBER, 3, least=0, most=1.5) == m("MSG-00019", 0, 1.5, "3")
    assert stored(Kind.NUMBER, "1.50") == 1.5
    address = next(column for column in DEVICES if column.name == "ip_address")
    assert FORMS.stored(address, "10.233.19.130") == "10.233.19.130"
    assert FORMS.stored(address, "") == ""
    with pytest.raises(Unfit) as caught:
        FORMS.stored(address, "256.1.1.1")
    assert caught.value.message == m("MSG-00009", address.pattern, "256.1.1.1")


@pytest.mark.parametrize(
    "sent", [0.00001, "0.00001", -0.00002, "-0.00002", 1e20, "100000000000000000000", 2**64, -1e19, 2**63, 1.5e300]
)
def test_numbers_are_kept_however_small_or_large(sent: Any) -> None:
    assert stored(Kind.NUMBER, sent) == float(sent)
    assert round_trips(a_column("x", Kind.NUMBER), sent)


def test_no_integer_is_larger_than_json_keeps() -> None:
    limits = {"least": -1e30, "most": 1e30}
    assert stored(Kind.INTEGER, str(2**64 - 1), **limits) == 2**64 - 1
    assert wrong(Kind.INTEGER, 2**64, **limits) == m("MSG-00019", -(2**63), 2**64 - 1, str(2**64))


def test_a_pattern_that_would_take_other_engines_an_age_is_judged_at_once() -> None:
    assert wrong(Kind.TEXT, "a" * 10_000 + "!", pattern="(a|aa)+").id == "MSG-00009"


def test_passwords_are_sealed_and_never_shown() -> None:
    sealed = stored(Kind.PASSWORD, "geheim")
    assert "geheim" not in sealed
    assert SECRETS.open(sealed) == "geheim"
    assert FORMS.shown(a_column("x", Kind.PASSWORD), sealed) is None
    assert stored(Kind.PASSWORD, "") is None
    assert wrong(Kind.PASSWORD, "geheim!", pattern="[a-z]*") == m("MSG-00009", "[a-z]*", MASK)


def test_moments_are_those_of_the_clocks_of_the_site() -> None:
    assert stored(Kind.MOMENT, "2031/06/01 02:00") == "2031-05-31T17:00:00+00:00"
    assert stored(Kind.MOMENT, "2031/06/01") == "2031-05-31T15:00:00+00:00"
    assert FORMS.shown(a_column("x", Kind.MOMENT), "2031-05-31T17:00:00+00:00") == "2031/06/01 02:00:00"
    berlin = Forms(FORMS.lists, ZoneInfo("Europe/Berlin"), SECRETS, "ja")
    column = a_column("x", Kind.MOMENT)
    leapt_over = berlin.stored(column, "2031/03/30 02:30:00")
    assert berlin.shown(column, leapt_over) == "2031/03/30 03:00:00"
    honolulu = Forms(FORMS.lists, ZoneInfo("Pacific/Honolulu"), SECRETS, "ja")
    for clocks in (FORMS, berlin, honolulu):  # in UTC the last one is in the year 10000
        assert clocks.shown(column, clocks.stored(column, "9999/12/31 23:59:59")) == "9999/12/31 23:59:59"


def test_what_is_left_of_a_column_of_another_kind_is_shown_as_it_is() -> None:
    assert FORMS.shown(a_column("x", Kind.MOMENT), "soon") == "soon"
    assert FORMS.shown(a_column("x", Kind.FILE), "text") == "text"


def test_choices_are_stored_by_id_and_shown_by_text() -> None:
    assert stored(Kind.CHOICE, "green", choices="colours") == "2"
    assert wrong(Kind.CHOICE, "blue", choices="colours") == m("MSG-00032", "blue")
    assert wrong(Kind.CHOICE, "grey", choices="colours") == m("MSG-00032", "grey")
    assert wrong(Kind.CHOICE, {}, choices="colours") == m("MSG-00032", "{}")
    assert FORMS.shown(a_column("x", Kind.CHOICE, choices="colours"), "9") == "gone colours 9"


def test_several_choices_are_a_list_in_json() -> None:
    column = a_column("x", Kind.CHOICE, choices="colours", is_many=True)
    assert FORMS.stored(column, '["red", "green", "red"]') == ["1", "2"]
    assert FORMS.stored(column, ["red"]) == ["1"]
    assert FORMS.stored(column, "[]") is None
    assert json.loads(FORMS.shown(column, ["1", "2"])) == ["red", "green"]
    assert FORMS.shown(column, None) == "[]"
    for sent, message in (("red", m("499-01701")), ('["red", 1]', m("MSG-00032", "1")), ("[" * 9999, m("499-01701"))):
        with pytest.raises(Unfit) as caught:
            FORMS.stored(column, sent)
        assert caught.value.message == message


def test_a_record_shows_what_the_system_writes_too() -> None:
    columns = (a_column("a"), a_column("b", Kind.BUTTON), a_column("c", is_viewed=False), a_column("d", Kind.FILE))
    menu = a_menu("s", columns)
    changed_at = datetime(2031, 4, 5, 6, 7, 8, 901, tzinfo=UTC)
    record = Record(UUID(int=1), {"a": "x", "c": "y", "d": {"name": "f.txt"}}, True, changed_at, "ops")

    assert FORMS.parameter(menu, record) == {
        "uuid": str(UUID(int=1)),
        "a": "x",
        "d": "f.txt",
        "remarks": None,
        "discard": "1",
        "last_update_date_time": "2031/04/05 15:07:08.000901",
        "last_updated_user": "ops",
    }


def round_trips(column: Column, sent: Any) -> bool:
    shown = FORMS.shown(column, FORMS.stored(column, sent))
    written = orjson.dumps(shown)
    return bool(FORMS.stored(column, orjson.loads(written)) == FORMS.stored(column, sent))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_shown_may_be_sent_again(data: st.DataObject) -> None:
    printable = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\t\r\n"), max_size=20)
    moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(  # noqa: DTZ001 - the clocks of the site
        lambda one: f"{one.year:04}/{one:%m/%d %H:%M:%S}"
    )
    sent = {
        Kind.TEXT: printable,
        Kind.LINES: st.lists(printable, max_size=3).map("\r\n".join),
        Kind.INTEGER: st.integers(-(2**31), 2**31 - 1),
        Kind.NUMBER: st.decimals(-(10**6), 10**6, places=3).filter(lambda one: abs(one) >= 1).map(str)
        | st.floats(allow_nan=False, allow_infinity=False),
        Kind.DATE: st.dates(min_value=datetime(1000, 1, 1).date()).map(lambda one: f"{one.year:04}/{one:%m/%d}"),  # noqa: DTZ001
        Kind.MOMENT: moments,
    }
    kind = data.draw(st.sampled_from([*sent]))

    assert round_trips(a_column("x", kind), data.draw(sent[kind]))


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(list(Kind)),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda one: st.lists(one, max_size=2) | st.dictionaries(st.text(max_size=2), one, max_size=2),
        max_leaves=4,
    ),
    st.booleans(),
)
def test_whatever_is_sent_is_stored_or_said_to_be_wrong(kind: Kind, sent: Any, is_many: bool) -> None:
    column = a_column("x", kind, choices="colours", is_many=is_many and kind is Kind.CHOICE)
    message = Message("")
    value = None
    try:
        value = FORMS.stored(column, sent)
    except Unfit as error:
        message = error.message

    assert all(isinstance(one, str | int | float) for one in message.values)
    "".join(map(str, message.values)).encode()
    if kind not in (Kind.KEY, Kind.JSON, Kind.BUTTON, Kind.DISCARD, Kind.CHANGED_AT, Kind.CHANGED_BY):
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        FORMS.shown(column, value)


def test_times_before_and_after_a_moment_keep_their_order() -> None:
    first, second = (stored(Kind.MOMENT, text) for text in ("2031/06/01 02:00:00", "2031/06/01 02:00:01"))
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) == timedelta(seconds=1)
