"""``dispatcher role``: what logins may do."""

from __future__ import annotations

import click

from dispatcher.cli.context import Context
from dispatcher.cli.output import json_option, show_json, show_table, yes_no
from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.services.roles import INHERIT, Roles

_RIGHTS = {right.name.lower(): right for right in Right}
_right = click.Choice([*_RIGHTS, INHERIT], case_sensitive=False)


@click.group()
def role() -> None:
    """Make roles, and give them to logins.

    A role has a right (deny, read or modify) on nodes, such as Library/Modules, and on folders and objects below them.
    Where it has none it inherits that of the folder, then of the node; on a node without any it denies. Several roles
    of a login add up: the highest right counts. A running server sees a change at its next request.

    \b
    Nodes:
      Library/Modules  Library/Projects  Library/Run Books  Library/Resources
      Topology/Agents  Topology/Teams    Jobs/Scheduling    Jobs/Results
      Administration/Security  Setup/Settings
    """


@role.command()
@click.argument("name")
@click.pass_obj
def add(context: Context, name: str) -> None:
    """Add the role NAME. It grants nothing yet."""
    with context.open() as opened:
        Roles(opened.datastore, opened.ports).add(name, SYSTEM)
    click.echo(f"Added role {name}.")


@role.command()
@click.argument("name")
@click.pass_obj
def remove(context: Context, name: str) -> None:
    """Remove the role NAME, from all logins that have it, too."""
    with context.open() as opened:
        Roles(opened.datastore, opened.ports).remove(name, SYSTEM)
    click.echo(f"Removed role {name}.")


@role.command()
@click.argument("name", metavar="ROLE")
@click.argument("right", type=_right)
@click.argument("target", metavar="OBJECT")
@click.pass_obj
def grant(context: Context, name: str, right: str, target: str) -> None:
    """Let ROLE have RIGHT (deny, read, modify or inherit) on OBJECT.

    OBJECT is a node, a folder (with a slash at its end), or an object by its path, name or id. To schedule something a
    login needs modify on Jobs/Scheduling, and read on what it schedules and on whom.

    \b
    Examples:
      dispatcher role grant Helpdesk modify Jobs/Scheduling
      dispatcher role grant Helpdesk read "Library/Modules/Demo/Files/"
      dispatcher role grant Helpdesk deny "Library/Modules/Demo/Files/List files"
      dispatcher role grant Helpdesk inherit "Library/Modules/Demo/Files/List files"
    """
    with context.open() as opened:
        found = Roles(opened.datastore, opened.ports).grant(name, _RIGHTS.get(right.lower()), target, SYSTEM)
    click.echo(f"Role {name}: {right.lower()} on {found.text}.")


@role.command("list")
@json_option
@click.pass_obj
def list_roles(context: Context, as_json: bool) -> None:
    """List all roles, and the logins that have them."""
    with context.open() as opened:
        found = Roles(opened.datastore, opened.ports).list(SYSTEM)
    columns = ("NAME", "BUILT_IN", "LOGINS")
    if as_json:
        show_json(columns, ((one.name, one.built_in, one.logins) for one in found))
    else:
        show_table(columns, ((one.name, yes_no(one.built_in), ", ".join(one.logins)) for one in found))


@role.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(context: Context, name: str, as_json: bool) -> None:
    """Show what the role NAME grants."""
    with context.open() as opened:
        found = Roles(opened.datastore, opened.ports).show(name, SYSTEM)
    rows = ((one.right.name.lower(), one.object) for one in found)
    (show_json if as_json else show_table)(("RIGHT", "OBJECT"), rows)


@role.command()
@click.argument("name", metavar="ROLE")
@click.argument("login")
@click.pass_obj
def give(context: Context, name: str, login: str) -> None:
    """Give ROLE to LOGIN, which keeps those that it has."""
    with context.open() as opened:
        Roles(opened.datastore, opened.ports).give(name, login, SYSTEM)
    click.echo(f"Login {login} has the role {name}.")


@role.command()
@click.argument("name", metavar="ROLE")
@click.argument("login")
@click.pass_obj
def take(context: Context, name: str, login: str) -> None:
    """Take ROLE away from LOGIN.

    Refused if no login would be left that can log in (enabled, and with a password) and may change logins and roles.
    "login disable" is never refused, so that a login in wrong hands can be shut out at once; "login enable" needs no
    login.
    """
    with context.open() as opened:
        Roles(opened.datastore, opened.ports).take(name, login, SYSTEM)
    click.echo(f"Login {login} does not have the role {name}.")


@role.command()
@click.argument("login")
@click.argument("right", type=click.Choice(["read", "modify"], case_sensitive=False))
@click.argument("target", metavar="OBJECT")
@json_option
@click.pass_obj
def explain(context: Context, login: str, right: str, target: str, as_json: bool) -> None:
    """Say whether LOGIN may do what needs RIGHT on OBJECT, and what each of its roles says of that.

    The exit code is 0 if it may, 1 if not.
    """
    with context.open() as opened:
        found = Roles(opened.datastore, opened.ports).explain(login, _RIGHTS[right.lower()], target, SYSTEM)
    columns = ("ROLE", "RIGHT", "BY")
    if as_json:
        show_json(columns, ((one.role, one.right.name.lower(), one.by) for one in found.verdicts))
    else:
        barred = found.barred and f" The login {found.barred}."
        click.echo(f"{'yes' if found.allowed else 'no'}: {login}, {right.lower()} on {found.object}.{barred}")
        show_table(columns, ((one.role, one.right.name.lower(), one.by or "no grant") for one in found.verdicts))
    raise click.exceptions.Exit(0 if found.allowed else 1)
