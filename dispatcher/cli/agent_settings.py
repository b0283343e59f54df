"""Agent settings: the options of ``dispatcher agent`` in a TOML file, such as ``conf/agent.toml``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

#: The options that a file has no place for: who writes one need not know them.
_UNFIT = {"config", "help", "pin", "local", "enrol_only", "enrol_token_stdin", "leave"}


def read_settings(context: click.Context, file: Path | None) -> None:
    """Make what *file* says the defaults of the options. Names have underscores; repeatable options are lists.

    :raises click.BadParameter: if the file cannot be read or has a setting that is no option.
    """
    if file is None:
        return
    try:
        with file.open("rb") as stream:
            found = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file}: {error}") from None
    known = names_of(context.command)
    defaults: dict[str, Any] = {}
    for name, value in found.items():
        if name not in known:
            raise click.BadParameter(f"{file}: {name}: there is no such setting")
        option = known[name]
        if option.multiple != isinstance(value, list):
            kind = "a list" if option.multiple else "one value"
            raise click.BadParameter(f"{file}: {name}: must be {kind}")
        defaults[str(option.name)] = value
    context.default_map = {**(context.default_map or {}), **defaults}


def names_of(command: click.Command) -> dict[str, click.Option]:
    """Return the options that a file may set, by their names in it."""
    options = [one for one in command.params if isinstance(one, click.Option)]
    named = {max(one.opts, key=len).removeprefix("--").replace("-", "_"): one for one in options}
    return {name: option for name, option in named.items() if name not in _UNFIT}
