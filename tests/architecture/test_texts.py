"""Texts: documents name what exists, golden files their source, and no file where it was written."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from sources import ROOT, files, relative

from dispatcher import bootstrap
from dispatcher.cli.main import cli

DOCUMENTS = [*files("docs", suffix=".rst"), ROOT / "README.rst", ROOT / "bench" / "README.rst"]
#: Homes of people, and names that only a network of one's own knows.
_PLACES = re.compile(
    r"(?<![\w.])/(?:home|Users)/[\w.-]+|(?<![\w.])/root/|\b[A-Z]:\\Users\\"
    r"|://[\w.-]+\.(?:internal|intranet|corp|lan|home)\b"
)
_COMMAND = re.compile(r"^\s+(?:\$ )?dispatcher(?: --(?:datastore|config) \S+)*((?: [a-z]+)*)(.*)$", re.MULTILINE)
_OPTION = re.compile(r"(?<= )--[a-z][a-z-]*")


def commands(document: Path) -> list[tuple[str, str]]:
    """Return the ``dispatcher`` commands that stand in lines of their own: the words, and what follows them."""
    return [(words.strip(), rest) for words, rest in _COMMAND.findall(document.read_text(encoding="utf-8"))]


def find(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that *words* lead to, and the words that are left as its arguments."""
    context = click.Context(cli)
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        inner = command.get_command(context, words[0])
        assert inner is not None, f"there is no command {words[0]}"
        command, words = inner, words[1:]
    return command, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_documented_commands_exist(document: Path) -> None:
    for words, rest in commands(document):
        command, _ = find(words.split())
        known = {option for one in (command, cli) for parameter in one.params for option in parameter.opts}
        unknown = set(_OPTION.findall(" " + rest)) - known - {"--help"}

        assert unknown == set(), f"dispatcher {words}"


def test_readme_shows_commands() -> None:
    assert {words.split()[0] for words, _ in commands(ROOT / "README.rst") if words} >= {"serve", "agent", "job"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_documented_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = document.read_text(encoding="utf-8")
    named = {name for line in re.findall(r"``make ([^`]*)``|^    make (.*)$", text, re.MULTILINE) for name in line}

    assert {name.split()[-1] for name in named if name} <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"`[^`<]+<([^>:]+?)(?:#[^>]*)?>`_", document.read_text(encoding="utf-8"))

    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(
    "golden", [folder for folder in (ROOT / "tests").rglob("golden") if folder.is_dir()], ids=relative
)
def test_every_golden_file_has_its_source(golden: Path) -> None:
    messages = [path for path in golden.iterdir() if not path.name.endswith(".source.rst")]

    assert messages
    assert [path.name for path in messages if not path.with_suffix(".source.rst").exists()] == []


def test_no_file_names_a_place_of_its_writer() -> None:
    found = {}
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture, or a golden message that is not text
            continue
        if path.name != Path(__file__).name and (places := _PLACES.findall(text)):
            found[relative(path)] = places

    assert found == {}


@pytest.mark.parametrize("document", ["README.rst", "docs/index.rst"])
def test_every_dialect_is_read_of(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    pages = [relative(page) for page in files("docs/dialects", suffix=".rst")]
    assert pages
    assert [page for page in pages if page.removeprefix("" if document == "README.rst" else "docs/") not in text] == []


def test_nothing_that_is_served_is_planned() -> None:
    words = {
        "ivanti_automation": "Ivanti Automation Dispatcher",
        "opsramp": "OpsRamp",
        "symantec_ccs": "Symantec CCS",
        "exastro_ita": "Exastro IT Automation",
        "ivanti_endpoint_security": "Ivanti Endpoint Security v2",
    }
    rows = re.findall(r"^(\w.*?)  +planned$", (ROOT / "README.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert not {words[dialect] for dialect in bootstrap.DIALECTS}.intersection(rows)
