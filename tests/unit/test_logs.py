"""Log events are one line each whatever is in them, and show no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import logs


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def start(format: str, level: str = "info", stream: io.StringIO | None = None) -> io.StringIO:  # noqa: A002
    stream = stream or io.StringIO()
    logs.configure(level, format, stream)  # type: ignore[arg-type]
    return stream


def test_json_events_have_the_same_keys_everywhere() -> None:
    stream = start("json")
    structlog.get_logger().info("job.leased", job_id="1", attempt=2)
    logging.getLogger("library").warning("something %s", "odd")
    ours, theirs = map(json.loads, stream.getvalue().splitlines())
    assert ours.pop("time").endswith("Z")
    assert ours == {"event": "job.leased", "level": "info", "job_id": "1", "attempt": 2}
    assert theirs.pop("time").endswith("Z")
    assert theirs == {"event": "something odd", "level": "warning"}


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_nothing_below_the_level_is_logged(format: str, level: str) -> None:  # noqa: A002
    stream = start(format, level)
    for name in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), name)(name)
        getattr(logging.getLogger("library"), name)(name)
    order = ["debug", "info", "warning", "error"]
    assert len(stream.getvalue().splitlines()) == 2 * (4 - order.index(level))


@pytest.mark.parametrize(
    "key", ["password", "new_password", "Authorization", "enrol_token", "SECRET", "client_secret", "set-cookie"]
)
@pytest.mark.parametrize("format", ["json", "console"])
def test_secrets_are_masked_at_any_depth(format: str, key: str) -> None:  # noqa: A002
    stream = start(format)
    log = structlog.get_logger()
    log.info("a", **{key: "geheim"})
    log.info("b", headers={key: "geheim", "accept": "*/*"})
    log.info("c", items=[{"deep": ({key: ["geheim"]},)}])
    logging.getLogger("library").info("d", extra={key: "geheim"})
    assert "geheim" not in stream.getvalue()
    assert stream.getvalue().count("********") == 4


def test_empty_secret_is_shown_as_empty() -> None:
    stream = start("json")
    structlog.get_logger().info("a", password="", token=None)
    event = json.loads(stream.getvalue())
    assert (event["password"], event["token"]) == ("", None)


@pytest.mark.parametrize("format", ["json", "console"])
@given(text=st.text(st.characters(exclude_categories=())), key=st.text(min_size=1))
def test_no_value_makes_a_second_line_or_steers_the_terminal(format: str, text: str, key: str) -> None:  # noqa: A002
    stream = start(format)
    structlog.get_logger().info(text, **({"value": text, "nested": {key: text}} | {f"k{key}": text}))
    logging.getLogger("library").info("%s", text)
    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert not any(ord(character) < 32 and character != "\n" for character in written)
    written.encode("utf-8")


@pytest.mark.parametrize("format", ["json", "console"])
def test_traceback_cannot_forge_a_line(format: str) -> None:  # noqa: A002
    stream = start(format)
    forged = "2026-01-01T00:00:00Z [info     ] login.added"
    try:
        raise ValueError(f"bad\n{forged}\r{forged}\x1b[2K")
    except ValueError:
        structlog.get_logger().exception("failed")
    written = stream.getvalue()
    assert "ValueError" in written
    assert "\x1b" not in written
    assert not any(line.startswith("2026-01-01") for line in written.splitlines())


def test_auto_is_for_people_at_a_terminal_and_json_elsewhere() -> None:
    terminal = start("auto", stream=Terminal())
    structlog.get_logger().info("a")
    with pytest.raises(json.JSONDecodeError):
        json.loads(terminal.getvalue())
    pipe = start("auto")
    structlog.get_logger().info("a")
    assert json.loads(pipe.getvalue())["event"] == "a"


def test_configuring_again_replaces_what_was() -> None:
    first, second = start("json"), start("json")
    structlog.get_logger().info("a")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_bound_context_is_in_every_event() -> None:
    stream = start("json")
    with structlog.contextvars.bound_contextvars(request="r1"):
        structlog.get_logger().info("a")
        logging.getLogger("library").info("b")
    assert [json.loads(line)["request"] for line in stream.getvalue().splitlines()] == ["r1", "r1"]


def test_visible_keeps_what_it_is_told_to() -> None:
    assert logs.visible("a\tb\nc\x1b") == "a\\tb\\nc\\x1b"
    assert logs.visible("a\tb\nc\x1b", keep="\t\n") == "a\tb\nc\\x1b"
