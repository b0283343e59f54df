"""Figures: what one measurement gives, and how many of them are put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from bench import load
from bench.houses import Running
from bench.load import Report


@dataclass(slots=True)
class Round:
    """One run of load against one server. Latencies are 0 where nobody asks for them."""

    requests: int
    errors: int
    per_second: float
    per_cpu_second: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    answer_bytes: int = 0  #: of one answer, on average, without its headers


@dataclass(slots=True)
class Series:
    """All rounds of one contestant."""

    name: str
    rounds: list[Round] = field(default_factory=list)
    key: str = ""  #: by which a goal names it

    def median(self, field_name: str) -> float:
        """Return the median of one field over the rounds."""
        return median(float(getattr(one, field_name)) for one in self.rounds)

    def times(self, peer: Series, field_name: str = "per_cpu_second") -> float:
        """Return the median of how many times the peer's value each round has, pair by pair."""
        pairs = zip(self.rounds, peer.rounds, strict=True)
        return median(float(getattr(ours, field_name) / getattr(theirs, field_name)) for ours, theirs in pairs)

    @property
    def cpu_ms(self) -> float:
        """The processor time of one request, in milliseconds."""
        return 1000 / self.median("per_cpu_second")


@dataclass(slots=True)
class Verdict:
    """A goal, what was measured, and whether that reaches it."""

    text: str
    measured: str
    reached: bool


@dataclass(slots=True)
class Figure:
    """One of the figures, as it is shown and kept."""

    name: str
    title: str
    series: list[Series] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unit: str = "request"  #: what is counted


def verdicts_beside(ours: Series, peers: list[Series], goals: Mapping[str, float]) -> list[Verdict]:
    """Say of each peer that has a goal whether *ours* does so many times as much per CPU second; *goals* are by key."""
    verdicts = []
    for peer in peers:
        if goal := goals.get(peer.key):
            text, times = f"{ours.name}: at least {goal:g} times {peer.name} per CPU second", ours.times(peer)
            verdicts.append(Verdict(text, f"{times:.2f} times", times >= goal))
    return verdicts


def answer_sizes(all_series: list[Series]) -> str:
    """Return a note with the sizes of the answers."""
    sizes = [f"{series.name} {series.median('answer_bytes'):.0f}" for series in all_series]
    return f"Bytes of an answer: {'; '.join(sizes)}."


def measure(running: Running, request: bytes, seconds: float, core: int, **more: object) -> tuple[Round, Report]:
    """Put *request* on the server for so many *seconds*, from *core*.

    :raises RuntimeError: if an answer was an error: a wrong answer is not a fast one.
    """
    before = running.cpu_s()
    report = load.run(running.target.port, request, seconds, core=core, **more)
    used = running.cpu_s() - before
    if report.errors:
        raise RuntimeError(f"{report.errors} of {report.answers} answers were errors, such as:\n{report.sample}")
    per_second = report.answers / report.seconds
    per_cpu_second, answer_bytes = report.answers / max(used, 0.01), report.received // max(report.answers, 1)
    latencies = report.p50_ms, report.p99_ms
    return Round(report.answers, report.errors, per_second, per_cpu_second, *latencies, answer_bytes), report
