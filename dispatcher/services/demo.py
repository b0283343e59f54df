"""Demo: a sample library to look at and to try things with."""

from __future__ import annotations

from importlib import resources

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.importing import ImportReport, import_texts
from dispatcher.services.secrets import Secrets

_FILE = "demo.yaml"


def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> ImportReport:
    """Import the sample library; what is there already is put back as it was. Nothing is scheduled."""
    content = resources.files("dispatcher.services").joinpath(_FILE).read_bytes()
    return import_texts(datastore, ports, secrets, {_FILE: content})
