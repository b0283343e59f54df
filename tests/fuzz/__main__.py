"""Fuzzing: ``python -m fuzz [--seconds N] [--jobs N] [--seed N] [target ...]``; guided by coverage, each in a process.

An input that breaks a target is shown and stored below ``.run/fuzz``: put into ``tests/fuzz/found/<target>/`` it is a
test. What was found to lead anywhere is kept there, too, and is where the next run begins.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parents[1]
RUN = TESTS.parent / ".run" / "fuzz"


def main() -> int:
    arguments = _arguments()
    # Not loaded here: its modules must be first loaded by the one who counts which of their lines are passed.
    names = arguments.targets or _names()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda name: _fuzz(name, arguments.seconds, arguments.seed), names))
    broken = [name for name, is_good in zip(names, results, strict=True) if not is_good]
    print(f"{len(names)} targets, broken: {', '.join(broken) or 'none'}")
    return bool(broken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at the same time")
    parser.add_argument("--seed", type=int, default=0, help="what chance begins with; 0: by chance")
    parser.add_argument("targets", nargs="*")
    return parser.parse_args()


def _names() -> list[str]:
    listing = "from fuzz.targets import TARGETS; print(*TARGETS)"
    return subprocess.run(
        [sys.executable, "-c", listing], cwd=TESTS, check=True, capture_output=True, text=True
    ).stdout.split()


def _fuzz(name: str, seconds: int, seed: int) -> bool:
    """Fuzz one target, and tell how it went; return whether it held."""
    crashes = RUN / "crashes" / name
    crashes.mkdir(parents=True, exist_ok=True)
    before = _written(crashes)
    began = time.monotonic()
    command = [sys.executable, "-m", "fuzz.one", name, str(seconds), str(seed), str(RUN)]
    try:
        done = subprocess.run(command, cwd=TESTS, capture_output=True, timeout=3 * seconds + 300, check=False)
        code, output = done.returncode, (done.stdout + done.stderr).decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        code, output = -1, (late.stderr or b"").decode(errors="replace")
    runs = re.search(r"number_of_executed_units: (\d+)", output)
    found = re.findall(r"cov: (\d+)", output)
    print(
        f"{name:17} {runs[1] if runs else '?':>8} inputs, {found[-1] if found else '?':>5} edges, "
        f"{time.monotonic() - began:4.0f} s: {'holds' if code == 0 else 'BROKEN'}",
        flush=True,
    )
    if code != 0:
        print(
            "\n".join(line for line in output.splitlines() if not line.startswith(("#", "INFO:", "WARNING:", "stat:")))
        )
        # One that an earlier run has found has the same name, and is written again.
        for path in sorted(path for path, at in _written(crashes).items() if before.get(path) != at):
            print(f"{path}: {path.read_bytes()!r}", flush=True)
    return code == 0


def _written(folder: Path) -> dict[Path, int]:
    """Return when each file of *folder* was last written."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


if __name__ == "__main__":
    sys.exit(main())
