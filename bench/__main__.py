"""The command line of the figures: ``python -m bench --help``."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from bench import fanout, growth, idle, latency, lateness, reads, records, report, submits, sweeps, whole_jobs
from bench.figures import Figure


@dataclass(frozen=True, slots=True)
class Measurement:
    """How much is measured. ``cores`` are the server's and the load's."""

    directory: Path
    pairs: int
    seconds: float
    samples: int
    scale: float
    cores: tuple[int, int]

    def scaled(self, size: int) -> int:
        """Return *size* at the scale that was asked for, at least 1."""
        return max(1, round(size * self.scale))


_FIGURES: dict[str, Callable[[Measurement], Figure]] = {
    "m1": lambda how: submits.run(how.directory, how.pairs, how.seconds, how.cores),
    "m2": lambda how: reads.run(how.directory, how.pairs, how.seconds, how.cores),
    "m4": lambda how: whole_jobs.run(how.directory, how.pairs, how.scaled(whole_jobs.JOBS)),
    "m6": lambda how: latency.run(how.directory, how.samples),
    "m7": lambda how: idle.run(how.directory, how.scaled(idle.AGENTS)),
    "m8": lambda how: lateness.run(how.directory, how.pairs, how.scaled(lateness.SCHEDULES), how.scaled(lateness.DUE)),
    "m9": lambda how: fanout.run(how.directory, how.scaled(fanout.AGENTS)),
    "m11": lambda how: growth.run(
        how.directory, how.pairs, growth.FEW, max(growth.FEW, how.scaled(growth.MANY)), how.scaled(growth.CLAIMS)
    ),
    "m12": lambda how: records.run(how.directory, how.pairs, how.scaled(records.MANY), how.scaled(records.EACH)),
    "m13": lambda how: sweeps.run(
        how.directory, how.pairs, how.scaled(sweeps.ALL), how.scaled(sweeps.PINGED), how.scaled(sweeps.LARGE)
    ),
}


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(_FIGURES)), help="Which figures; all without it.")
@click.option("--pairs", default=5, show_default=True, help="How often each contestant has its turn.")
@click.option("--seconds", default=3.0, show_default=True, help="How long a turn is.")
@click.option("--samples", default=120, show_default=True, help="How many jobs M6 measures.")
@click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 10),
    help="How many jobs, agents and schedules, as a share of what the goals of M4, M7, M8, M9 and M11 are about.",
)
@click.option("--json", "path", default=".run/bench/figures.json", show_default=True, type=click.Path(path_type=Path))
def main(only: tuple[str, ...], pairs: int, seconds: float, samples: int, scale: float, path: Path) -> None:
    """Measure the performance figures beside their peers, and show which goals are reached.

    In M1 and M2 servers share one core and the load has another, so that each gets what it would get alone. Everything
    is started and ended here; datastores are kept below .run/bench until the next time.
    """
    # The last two cores; of a machine with one core, that one for both.
    *_, server, load = sorted(os.sched_getaffinity(0)) * 2
    console = Console()
    directory = Path(".run/bench") / time.strftime("%Y%m%d-%H%M%S")
    shutil.rmtree(directory.parent, ignore_errors=True)
    how = Measurement(directory, pairs, seconds, samples, scale, (server, load))
    figures: list[Figure] = []
    for name in only or _FIGURES:
        begun = time.monotonic()
        figures.append(_FIGURES[name](how))
        if scale != 1:
            figures[-1].notes.append(f"Measured at scale {scale:g}: the goals are about 1.")
        figures[-1].notes.append(f"It took {time.monotonic() - begun:.0f} s.")
        report.show(figures[-1], console)
        report.write(figures, path)
    console.print(f"\nKept in {path}")


if __name__ == "__main__":
    main()
