"""Documentation: everything that can be set or called is described where people look for it."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from dispatcher.cli.main import COMMANDS
from dispatcher.config import Config, load
from dispatcher.services.setting_kinds import REGISTRY

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "conf" / "dispatcher.toml"
#: A setting as it stands in the sample, taken out of use.
SETTING = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)


def test_sample_configuration_holds_every_setting_with_its_default() -> None:
    documented = tomllib.loads(SETTING.sub("", SAMPLE.read_text(encoding="utf-8")))
    defaults = load(environ={}).model_dump(mode="json")
    for section, name in (("web", "listen"), ("agents", "listen")):
        address = defaults[section][name]
        defaults[section][name] = f"{address['host']}:{address['port']}"
    assert documented == defaults


def test_sample_configuration_changes_nothing_as_it_is() -> None:
    assert load(file=SAMPLE, environ={}).model_dump() == load(environ={}).model_dump()


def test_every_setting_of_the_sample_is_explained() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if SETTING.match(line):
            assert before.startswith("# ") or before == '#tls_cert = ""', f"no explanation before {line}"


@pytest.mark.parametrize(
    ("suffix", "unit"), [("_s", "in seconds"), ("_bytes", "in bytes"), ("_chars", "in characters")]
)
def test_units_of_the_sample_stand_in_words_too(suffix: str, unit: str) -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    names = [name for section in Config.model_fields.values() for name in section.default.__class__.model_fields]
    found = [name for name in names if name.endswith(suffix)]
    assert found
    for name in found:
        number = next(number for number, line in enumerate(lines) if line.startswith(f"#{name} = "))
        assert unit in lines[number - 1]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_run_time_setting_is_described(name: str) -> None:
    assert f"``{name}``" in (ROOT / "docs" / "cli.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_described(name: str) -> None:
    assert f"dispatcher {name}" in (ROOT / "docs" / "cli.rst").read_text(encoding="utf-8")
