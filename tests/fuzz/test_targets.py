"""Targets hold for good inputs, for what fuzzing has found, and for a few thousand mutants; ``make fuzz`` does more."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest
from fuzz import __main__ as command
from fuzz import endpoints, oracle
from fuzz.targets import TARGETS, Target

FOUND = sorted(Path(__file__).with_name("found").glob("*/*"))
at_each = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@at_each
def test_good_inputs(target: Target) -> None:
    seeds = [*target.seeds()]

    assert seeds
    for seed in seeds:
        oracle.check_time(target.run, seed)


def test_good_requests_to_dialects_are_understood() -> None:
    for seed in TARGETS["json_dialects"].seeds():
        told = endpoints.send_to_dialects(seed)
        assert any(word in body for word in (b"there is nobody", b"invalid_grant", b"unauthorized") for body in told)


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_fuzzing_has_found(path: Path) -> None:
    data = path.read_bytes()

    oracle.check_time(TARGETS[path.parent.name].run, data)


@at_each
def test_mutants(target: Target) -> None:
    chosen, seeds = random.Random(target.name), [*target.seeds()]
    words = [word.encode() for word in target.words]
    for _ in range(150):
        oracle.check_time(target.run, mutant(chosen, chosen.choice(seeds), words))


@at_each
def test_repeated_parts_cost_what_they_are_long(target: Target) -> None:
    chosen = random.Random(target.name)
    seeds = [*target.seeds()]
    for _ in range(6):
        seed = chosen.choice(seeds)[:1_024]
        begin = chosen.randrange(len(seed))
        oracle.check_growth(target.run, seed, begin, begin + chosen.randint(1, 40), size=4_096)


def mutant(chosen: random.Random, seed: bytes, words: list[bytes]) -> bytes:
    """Return *seed* with a few of its bytes replaced by words, by other bytes, or by what stands elsewhere in it."""
    data = bytearray(seed)
    for _ in range(chosen.randint(1, 4)):
        begin = chosen.randint(0, len(data))
        end = min(len(data), begin + chosen.choice((0, 0, 1, 4, 40)))
        elsewhere = chosen.randint(0, len(data))
        new = chosen.choice((chosen.choice(words), chosen.randbytes(2), bytes(data[elsewhere : elsewhere + 40])))
        data[begin:end] = new
    return bytes(data)


def test_work_that_grows_faster_than_its_input_is_seen() -> None:
    def quadratic(data: bytes) -> None:
        for _ in data:
            for _ in data[::64]:
                pass

    with pytest.raises(AssertionError, match="steps for"):
        oracle.check_growth(quadratic, b"a" * 64, 0, 8, size=2_048)
    oracle.check_growth(lambda data: sorted(data), b"a" * 64, 0, 8)


def test_memory_without_bounds_is_seen() -> None:
    with pytest.raises(AssertionError, match="bytes of memory"):
        oracle.check_growth(lambda data: bytes(10_000 * len(data)), b"a" * 64, 0, 8)


def test_input_that_breaks_is_shown_also_when_an_earlier_run_has_found_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashes = tmp_path / "crashes" / "xml"
    crashes.mkdir(parents=True)
    for name in ("crash-again", "crash-before"):
        (crashes / name).write_bytes(f"<{name}>".encode())
        os.utime(crashes / name, (1, 1))

    def run(*_arguments: object, **_options: object) -> subprocess.CompletedProcess[bytes]:
        (crashes / "crash-again").write_bytes(b"<crash-again>")
        return subprocess.CompletedProcess([], 77, b"", b"AssertionError: it breaks")

    monkeypatch.setattr(command, "RUN", tmp_path)
    monkeypatch.setattr(command.subprocess, "run", run)

    assert not command._fuzz("xml", 1, 0)
    shown = capsys.readouterr().out
    assert "BROKEN" in shown
    assert "b'<crash-again>'" in shown
    assert "crash-before" not in shown
