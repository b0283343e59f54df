"""``dispatcher wsdl``: the golden WSDL files."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.cli.exits import REFUSED, Failed


@click.command()
@click.option("--write", "target", type=click.Path(path_type=Path, file_okay=False), help="Write the files there.")
@click.option("--check", "golden", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Compare them.")
def wsdl(target: Path | None, golden: Path | None) -> None:
    """Write the WSDL of every service into a folder, or check that the files there are as the server would serve them.

    The address in them is http://localhost/..., so that the files do not depend on the computer.

    \b
    Examples:
      dispatcher wsdl --write wsdl/
      dispatcher wsdl --check wsdl/
    """
    if (target is None) == (golden is None):
        raise click.UsageError("give either --write or --check")
    # The declarations are compiled when they are imported; `--help` need not wait for that.
    from dispatcher.bindings.ivanti_automation import golden as documents

    if target is not None:
        documents.write(target)
        click.echo(f"Wrote the WSDL into {target}.")
    elif golden is not None:
        if differing := documents.check(golden):
            raise Failed(f"not as the server serves them: {', '.join(differing)}", REFUSED)
        click.echo(f"The WSDL in {golden} is as the server serves it.")
