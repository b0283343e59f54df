"""The command line of the figures: ``python -m bench --help``."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import click
from rich.console import Console

from bench import latency, reads, report, submits
from bench.figures import Figure

_NAMES = ("m1", "m2", "m6")


@click.command()
@click.option("--only", multiple=True, type=click.Choice(_NAMES), help="Which figures; all without it.")
@click.option("--pairs", default=5, show_default=True, help="How often each contestant has its turn.")
@click.option("--seconds", default=3.0, show_default=True, help="How long a turn is.")
@click.option("--samples", default=120, show_default=True, help="How many jobs M6 measures.")
@click.option("--json", "path", default=".run/bench/figures.json", show_default=True, type=click.Path(path_type=Path))
def main(only: tuple[str, ...], pairs: int, seconds: float, samples: int, path: Path) -> None:
    """Measure the performance figures beside their peers, and show which goals are reached.

    Servers share one core and the load has another, so that each gets what it would get alone. Everything is started
    and ended here; datastores are kept below .run/bench until the next time.
    """
    # The last two cores; of a machine with one core, that one for both.
    *_, server, load = sorted(os.sched_getaffinity(0)) * 2
    console = Console()
    directory = Path(".run/bench") / time.strftime("%Y%m%d-%H%M%S")
    shutil.rmtree(directory.parent, ignore_errors=True)
    figures: list[Figure] = []
    for name in only or _NAMES:
        if name == "m1":
            figures.append(submits.run(directory, pairs, seconds, (server, load)))
        elif name == "m2":
            figures.append(reads.run(directory, pairs, seconds, (server, load)))
        else:
            figures.append(latency.run(directory, samples))
        report.show(figures[-1], console)
        report.write(figures, path)
    console.print(f"\nKept in {path}")


if __name__ == "__main__":
    main()
