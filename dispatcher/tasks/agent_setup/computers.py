"""Computers: those that the discovery before this task has found, each once."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

from dispatcher.core.computers import FoundComputer
from dispatcher.tasks.discovering.findings import Findings


def found(scratch: Path) -> list[FoundComputer]:
    """Return the computers that are noted in *scratch*, in the order they were found first.

    Of several notes of one the later ones tell what the earlier have not.
    """
    known: dict[str, FoundComputer] = {}
    for one in Findings(scratch):
        key = target_of(one).lower()
        known[key] = _merged(known[key], one) if key in known else one
    return list(known.values())


def target_of(computer: FoundComputer) -> str:
    """Return by what a computer is told from others in what is said of it: its address, else its name."""
    return computer.address or computer.dns_name or computer.name or computer.netbios_name


def _merged(known: FoundComputer, more: FoundComputer) -> FoundComputer:
    told = {one.name: value for one in fields(more) if (value := getattr(more, one.name))}
    return replace(known, **told)
