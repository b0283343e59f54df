"""Shells: values stay values, whatever they hold and wherever the reference stands; real shells judge."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core import shells
from dispatcher.core.errors import InvalidValue

SHELLS = [shell for shell in ("/bin/sh", shutil.which("bash")) if shell]
HOSTILE = [
    "plain",
    "",
    " two  words ",
    "*",
    "/*",
    "$(echo pwned)",
    "`echo pwned`",
    "'; echo pwned; '",
    '"; echo pwned; "',
    "a\nb\n\nEOF\nx",
    "\\",
    "$PARAM_other ${HOME}",
    "-n",
    "~",
    "!!",
    "#",
    "$[x] ^[y]",
    "a[$(echo pwned)]",
    "é\t€",
    "|&;<>()",
]
VALUES = st.sampled_from(HOSTILE) | st.text("ab '\"\\$`*?[]{}()|&;<>#~!\n\t=-é", max_size=12)


def arguments(command: str, value: str, shell: str = "/bin/sh", other: str = "other") -> list[str]:
    """Run *command*, which calls ``args``, and return the arguments that it got."""
    text = shells.posix_text(command).text
    environment = {"PATH": "/usr/bin:/bin", "PARAM_x": value, "PARAM_other": other}
    script = "args() { printf '%s\\0' \"$@\"; }\n" + text
    done = subprocess.run([shell, "-c", script], env=environment, capture_output=True, check=True, cwd="/")
    assert done.stderr == b""
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", HOSTILE)
def test_value_is_one_word_wherever_it_stands(shell: str, value: str) -> None:
    assert arguments("args $[x]", value, shell) == [value]
    assert arguments('args "$[x]"', value, shell) == [value]
    assert arguments('args a$[x]b "c$[x]"d$[x]', value, shell) == [f"a{value}b", f"c{value}d{value}"]
    assert arguments("args 'it' $[x] # don't $[x]\nargs $[x]", value, shell) == ["it", value, value]
    assert arguments('args "it\'s \\" $[x]" \\$[x] \\"$[x]', value, shell) == [
        f"it's \" {value}",
        "$[x]",
        f'"{value}',
    ]
    assert arguments('v=$[x]; args "$v" $[x]', value, shell) == [value, value]
    assert arguments('args "${v:-a}" $[x] "${v:-"a b"}"', value, shell) == ["a", value, *(["a b"])]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", HOSTILE)
def test_value_is_one_word_inside_substitutions(shell: str, value: str) -> None:
    marked = value + "."  # a substitution cuts trailing line breaks
    assert arguments('args "$(printf %s $[x].)"', value, shell) == [marked]
    assert arguments('args "$(printf %s "$[x].")" $[x]', value, shell) == [marked, value]
    assert arguments('args "a$(printf "%s" "$(printf %s $[x]. # a) b"\n)")b" $[x]', value, shell) == [
        f"a{marked}b",
        value,
    ]
    assert arguments("(args $[x]); { args $[x]; }", value, shell) == [value, value]
    assert arguments("case $[x] in a) ;; *) args $[x] ;; esac", value, shell) == [value]
    assert arguments("args $((1 + (2 * 3))) $[x] `echo 'a b'`", value, shell) == ["7", value, "a", "b"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", HOSTILE)
def test_value_stays_whole_in_here_documents(shell: str, value: str) -> None:
    document = 'args "$(cat <<EOF\nit\'s "$[x]" \\$[x] $(printf %s $[x].)\nEOF\n)" $[x]'
    assert arguments(document, value, shell) == [f'it\'s "{value}" $[x] {value}.', value]
    two = "cat >/dev/null <<-A; cat >/dev/null <<'B' # <<C\n\ta $[x]\\\n\tA\n\tA\n$(nothing\nB\nargs $[x]"
    assert arguments(two, value, shell) == [value]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            [
                "args $[x]",
                'args "a $[x]"',
                "args 'q' \"'$[x]'\"",
                'args "$(printf %s "$[x]."; : \'"\')"',
                "args $$[x] >/dev/null",
                "# it's\nargs $[x]",
                "args \\'$[x]\\\"",
                'args "\\"$[x]\\\\"',
                ": `echo \\`echo a\\``; args $[x]",
                "(args $[x])",
                "cat >/dev/null <<E\n\"'`echo`$[x]\nE\nargs $[x]",
                "args ${y:-'}'}$[x]",
                'args "${y:-"}"}$[x]"',
                "args $'a'\"$[x]\"",
                "args a#'b'$[x]",
                "args \\ #'b'$[x]",
            ]
        ),
        min_size=1,
        max_size=5,
    ),
    VALUES,
)
def test_no_value_changes_the_number_of_words(pieces: list[str], value: str) -> None:
    command = "\n".join(pieces)
    quiet = arguments(command, "Q")
    assert arguments(command, value) == [word.replace("Q", value) for word in quiet]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("echo '$[x]'", "single quotes"),
        ("echo $'$[x]'", "single quotes"),
        ("a\necho '$[x]'", "line 2"),
        ("echo `echo $[x]`", "backquotes"),
        ('echo "`echo $[x]`"', "backquotes"),
        ("echo $(($[x] + 1))", "arithmetic"),
        ("(($[x] + 1))", "arithmetic"),
        ("if [[ $[x] -eq 1 ]]; then :; fi", "use \\["),
        ("echo ${y:-$[x]}", "inside"),
        ('echo ${y:-"$[x]"}', "inside"),
        ("cat <<'E'\n$[x]\nE\n", "here-document"),
        ("cat <<\\E\n$[x]\nE\n", "here-document"),
        ("cat <<$[x]\n", "not plain"),
        ('echo "$[x]', "never closed"),
        ("echo 'a $[x]", "never closed"),
        ("echo $(echo $[x]", "never closed"),
        ("echo $(case a in a) echo;; esac) $[x]", "case"),
        ("echo \"${y#'}'}\" $[x]", "disagree"),
        ("echo $'\\'' $[x]", "disagree"),
        ("cat <<E\n$(cat <<F\n$[x]\nF\n)\nE\n", "inside a here-document"),
        ("$(" * 100 + "$[x]", "64"),
    ],
)
def test_references_are_refused_where_a_shell_would_not_keep_them_whole(command: str, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem):
        shells.posix_text(command)


def test_text_without_references_is_left_alone_even_if_broken() -> None:
    assert shells.posix_text("echo 'a ` \" ${ $((").text == "echo 'a ` \" ${ $(("


def test_references_are_listed_but_not_those_in_comments_or_escaped() -> None:
    found = shells.posix_text('echo $[a] "@[b]" # $[c]\necho \\$[d] ^[e]').references
    assert [str(one) for one in found] == ["$[a]", "@[b]", "^[e]"]


@pytest.mark.parametrize(
    "piece",
    [
        "$(",
        '"$[x]"',
        "'a'",
        "$[x]",
        "\\",
        "`a`",
        "((1))",
        "<<A\n",
        "${a}",
        "$'a'",
        "#",
        '"$(a)"',
        "(",
        "$((",
        "^[",
        "[[",
    ],
)
def test_work_grows_with_the_text_and_not_faster(piece: str) -> None:
    # A quadratic scan of this size would hit the time limit of the suite.
    text = "$[x] " + piece * (400_000 // len(piece))
    with contextlib.suppress(InvalidValue):
        shells.posix_text(text)


def test_windows_text_expands_after_parsing() -> None:
    made = shells.windows_text('echo "$[My line]" >> ^[File]')
    assert made.text == 'echo "!PARAM_My_0x20_line!" >> !VAR_File!'
    assert [one.name for one in made.references] == ["My line", "File"]


def test_windows_text_refuses_other_exclamation_marks() -> None:
    with pytest.raises(InvalidValue, match="exclamation"):
        shells.windows_text("echo Hello! $[x]")
    assert shells.windows_text("echo Hello!").text == "echo Hello!"


def test_a_value_cannot_create_a_file(tmp_path: Path) -> None:
    target = tmp_path / "pwned"
    for value in (f"$(touch {target})", f"`touch {target}`", f"; touch {target}", f"\ntouch {target}\n", f"> {target}"):
        arguments('args $[x] "$[x]"\ncat >/dev/null <<E\n$[x]\nE\n', value)
    assert not target.exists()
