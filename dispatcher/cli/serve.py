"""``dispatcher serve``: the server."""

from __future__ import annotations

import click

from dispatcher import crew, serving
from dispatcher.bootstrap import House
from dispatcher.cli.context import Context
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services import demo as sample_library
from dispatcher.services.secrets import Secrets


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where clients and browsers connect.  [127.0.0.1:8080]")
@click.option("--agents", metavar="HOST:PORT", help="Where agents connect.  [127.0.0.1:3163]")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate for both listeners.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Private key of the certificate.")
@click.option("--name", help="Under which settings of this dispatcher's own are kept.  [the computer's name]")
@click.option("--no-local-agent", is_flag=True, help="Do not start an agent on this computer.")
@click.option("--demo", is_flag=True, help="Load a sample library; schedules nothing.")
@click.option(
    "--processes",
    default=1,
    type=click.IntRange(1, 64),
    help="How many processes serve the same ports; needs PostgreSQL or MariaDB.  [1]",
)
@click.option("--allow-no-login", is_flag=True, help="Listen off loopback although there is no login.")
@click.pass_obj
def serve(
    context: Context,
    listen: str | None,
    agents: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    name: str | None,
    no_local_agent: bool,
    demo: bool,
    processes: int,
    allow_no_login: bool,
) -> None:
    """Run the server until Ctrl-C.

    The datastore is created, or upgraded, when that is needed. An agent on this computer is started with it and
    ends with it. A second Ctrl-C does not wait for what is under way; nothing that was acknowledged is lost.

    \b
    Examples:
      dispatcher serve --demo
      dispatcher serve --listen 0.0.0.0:80 --agents 0.0.0.0:3163 --tls-cert cert.pem --tls-key key.pem
    """
    web = {"listen": listen, "tls_cert": tls_cert, "tls_key": tls_key, "allow_no_login": allow_no_login or None}
    local_agent = {"enabled": False if no_local_agent else None}
    config = context.configure(
        {"web": web, "agents": {"listen": agents}, "engine": {"name": name}, "local_agent": local_agent}
    )

    def prepare(house: House, datastore: Datastore, secrets: Secrets) -> None:
        builtin.install(datastore, house.ports, secrets)
        if demo:
            sample_library.load(datastore, house.ports, secrets)

    if processes > 1:
        crew.run(config, processes, prepare=prepare, ready=_show)
    else:
        serving.run(config, prepare=prepare, ready=_show)


def _show(addresses: serving.Addresses) -> None:
    click.echo(f"Dispatcher serves clients at {addresses.web} and agents at {addresses.agents}")
    for name, url in addresses.single.items():
        click.echo(f"  {name:<6} {url}")
    click.echo(f"  help   {addresses.scheduling}/help")
    click.echo(f"         {addresses.resource}/help")
    click.echo(f"  WSDL   {addresses.scheduling}?wsdl")
    click.echo(f"  APIs   {addresses.web}/docs/")
