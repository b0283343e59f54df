"""``dispatcher login``: who may use the dispatcher."""

from __future__ import annotations

import sys

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table, yes_no
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.logins import DISPATCHER, KINDS, LANGUAGES, Logins


@click.group()
def login() -> None:
    """Add, list and disable logins.

    As long as there is no login, no request needs credentials. From the first login on every request does.
    The first login gets the role Full Access. A running server sees a change at its next request.
    """


@login.command()
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    help="A role, such as 'Full Access' or 'Read Only'; several add up. Without one a login may do nothing.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.option("--no-password", is_flag=True, help="Give it no password: it exists, but cannot log in.")
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default="ja",
    show_default=True,
    help="Of what it is told where a dialect has both.",
)
@click.option(
    "--kind", type=click.Choice(KINDS), default=DISPATCHER, show_default=True, help="Who checks its password."
)
@click.option("--first-login-pending", is_flag=True, help="Ask for a new password at the first login.")
@click.pass_obj
def add(
    context: Context,
    name: str,
    roles: tuple[str, ...],
    password_stdin: bool,
    no_password: bool,
    language: str,
    kind: str,
    first_login_pending: bool,
) -> None:
    """Add the login NAME. The password is asked for, unless an option says otherwise.

    \b
    Examples:
      dispatcher login add admin
      pass show api | dispatcher login add api --role 'Read Only' --password-stdin
    """
    if password_stdin and no_password:
        raise click.UsageError("--password-stdin and --no-password exclude each other")
    password = None if no_password else _password(password_stdin)
    with context.open() as opened:
        added = Logins(opened.datastore, opened.ports).add(
            name,
            password,
            SYSTEM,
            roles=roles,
            language=language,
            kind=kind,
            first_login_pending=first_login_pending,
        )
    told = ", ".join(added.roles) or "no role: it may do nothing"
    click.echo(f"Added login {added.name} ({told}).")


@login.command("list")
@json_option
@click.pass_obj
def list_logins(context: Context, as_json: bool) -> None:
    """List all logins."""
    with context.open() as opened:
        found = Logins(opened.datastore, opened.ports).list(SYSTEM)
    columns = ("NAME", "ROLES", "PASSWORD", "ENABLED", "KIND", "LANGUAGE")
    if as_json:
        show_json(
            columns,
            ((one.name, one.roles, one.has_password, one.enabled, one.kind, one.language) for one in found),
        )
        return
    show_table(
        columns,
        (
            (one.name, ", ".join(one.roles), yes_no(one.has_password), yes_no(one.enabled), one.kind, one.language)
            for one in found
        ),
    )


@login.command()
@click.argument("name")
@click.pass_obj
def disable(context: Context, name: str) -> None:
    """Let the login NAME in no more. Its jobs and their results stay."""
    with context.open() as opened:
        Logins(opened.datastore, opened.ports).disable(name, SYSTEM)
    click.echo(f"Disabled login {name}.")


@login.command()
@click.argument("name")
@click.pass_obj
def enable(context: Context, name: str) -> None:
    """Let the login NAME in again."""
    with context.open() as opened:
        Logins(opened.datastore, opened.ports).enable(name, SYSTEM)
    click.echo(f"Enabled login {name}.")


@login.command("language")
@click.argument("name")
@click.argument("language", type=click.Choice(LANGUAGES))
@click.pass_obj
def set_language(context: Context, name: str, language: str) -> None:
    """Tell the login NAME what it is told in LANGUAGE, where a dialect has both. It stays logged in."""
    with context.open() as opened:
        Logins(opened.datastore, opened.ports).set_language(name, language, SYSTEM)
    click.echo(f"Changed the language of {name} to {language}.")


@login.command("end-tokens")
@click.argument("name")
@click.pass_obj
def end_tokens(context: Context, name: str) -> None:
    """End the access tokens that NAME has got. With its password it gets others."""
    with context.open() as opened:
        ended = Logins(opened.datastore, opened.ports).end_tokens(name, SYSTEM)
    click.echo(f"Ended {ended} access token{'' if ended == 1 else 's'} of {name}.")


@login.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
@click.pass_obj
def set_password(context: Context, name: str, password_stdin: bool) -> None:
    """Give the login NAME a new password."""
    password = _password(password_stdin)
    with context.open() as opened:
        Logins(opened.datastore, opened.ports).set_password(name, password, SYSTEM)
    click.echo(f"Changed the password of {name}.")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
