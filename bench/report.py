"""Reports: the figures as tables on the screen and as a JSON file."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Figure


def show(figure: Figure, console: Console) -> None:
    """Print the figure: medians of the rounds, then the goals."""
    console.print(f"\n[bold]{figure.name}[/]  {figure.title}")
    if figure.series:
        unit = figure.unit
        latencies = ("p50_ms", "p99_ms") if any(one.p50_ms for series in figure.series for one in series.rounds) else ()
        columns = f"{unit}s", f"{unit}s/s", f"{unit}s per CPU s", *(name.replace("_", " ") for name in latencies)
        table = Table("", *columns)
        for series in figure.series:
            counts = f"{sum(one.requests for one in series.rounds)}", f"{series.median('per_second'):.0f}"
            times = [f"{series.median(name):.2f}" for name in latencies]
            table.add_row(series.name, *counts, f"{series.median('per_cpu_second'):.0f}", *times)
        console.print(table)
    for verdict in figure.verdicts:
        mark = "[green]reached[/]" if verdict.reached else "[red]missed[/] "
        console.print(f"  {mark}  {verdict.text}: {verdict.measured}")
    for note in figure.notes:
        console.print(f"  {note}")


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures with the machine, the commit and the date to *path*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**circumstances(), "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def circumstances() -> dict[str, str]:
    """Return what must be known to read the figures: machine, Python, commit and date."""
    return {
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} {platform.release()}",
        "load_average": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _commit() -> str:
    """Return the commit that is checked out, with a + if files have changed since; unknown without git."""
    if not shutil.which("git"):
        return "unknown"
    words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip() or "unknown"
