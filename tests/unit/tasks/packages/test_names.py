"""Names: what is no plain name of a package becomes no word of a command line."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.packages.managers import MANAGERS, fill
from dispatcher.tasks.packages.names import check_name, check_version

#: Texts near to names, so that some are: what shells and package managers read otherwise is among them.
_NEAR = st.text(alphabet="ab1-+._:~^=/*?$`;&|<> \n'\"\\@!%{}", min_size=1, max_size=12)
_ANY = st.one_of(_NEAR, st.text(min_size=1, max_size=20), st.from_regex(r"[a-z0-9][a-z0-9.+:_-]*", fullmatch=True))


@pytest.mark.parametrize("name", ["a", "g++", "libc6:amd64", "Microsoft.VisualStudioCode", "python3.11", "lib_x-y2"])
def test_names_of_packages(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "-y", "--option", "a b", "a;b", "a=1", "a/b", "./a", "a*", "$(a)", "`a`", "a\n", "a|b", "~a", "@core"),
        *("bash-", "bash+", "x.deb", "x.RPM", "x.apk", "x.apk1", "packages.config", "all", "ALL", "a{version}"),
        *("\N{LATIN SMALL LETTER A WITH DIAERESIS}", "\N{ARABIC-INDIC DIGIT ONE}", "a" * 300),
    ],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidValue, match="is no name of a package"):
        check_name(name)


@pytest.mark.parametrize("version", ["1", "1:2.3-4+deb12u1", "2.0~rc1", "1.0~", "5.14.0-362.el9^git"])
def test_versions(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize("version", ["", "-1", "1 2", "1-", "1+", "1/2", "1=2", "1\n", "$x", "~1", "*", "1;2", "1^"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(InvalidValue, match="is no version"):
        check_version(version)


@settings(max_examples=300)
@given(name=_ANY, version=_ANY)
def test_no_name_and_no_version_becomes_an_option_or_means_something_to_a_shell(name: str, version: str) -> None:
    try:
        values = {"package": check_name(name), "version": check_version(version)}
    except InvalidValue:
        return
    for value in values.values():
        # A tilde begins a home only at the beginning, and a caret is plain but for shells of long ago.
        assert shlex.split(value) == [value]
        assert re.fullmatch(r"[A-Za-z0-9._+:~^-]+", value)
        assert value[0] not in "-+~^.:_"
    for manager in MANAGERS.values():
        for words in (manager.install, manager.install_version, manager.remove, manager.ask):
            filled = fill(words, wait_s="60", **values)
            assert len(filled) == len(words)
            changed = [one for one, word in zip(filled, words, strict=True) if one != word and "wait_s" not in word]
            own = [one for one in changed if not one.startswith("--version=")]
            assert not any(one.startswith("-") for one in own)
            assert not words or changed
