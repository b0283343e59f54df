"""Golden WSDL: the files under ``wsdl/``, which show every change of what the dialect promises to its clients."""

from __future__ import annotations

from pathlib import Path

from dispatcher.bindings.ivanti_automation.soap import NAMES, SchedulingService
from dispatcher.wire.wsdl import WsdlDocuments

ADDRESS = "http://localhost/Dispatcher/SchedulingService/"


def write(directory: Path) -> None:
    """Write the WSDL and its schemas into *directory*, which is made if need be."""
    WsdlDocuments(SchedulingService, NAMES).write(directory, ADDRESS)


def check(directory: Path) -> list[str]:
    """Return the names of the files in *directory* that are missing or out of date, sorted."""
    return WsdlDocuments(SchedulingService, NAMES).check(directory, ADDRESS)
