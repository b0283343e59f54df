"""Demo: a sample library to look at and to try things with."""

from __future__ import annotations

import re
from importlib import resources

from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library.importing import ImportReport, import_texts
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.secrets import Secrets

_FILE = "demo.yaml"


_IDS = re.compile(rb"^ +id: .*\n", re.MULTILINE)


def load(datastore: Datastore, ports: Ports, secrets: Secrets) -> ImportReport:
    """Import the sample library; what is there already is put back as it was. Nothing is scheduled."""
    content = resources.files("dispatcher.services").joinpath(_FILE).read_bytes()
    try:
        return import_texts(datastore, ports, secrets, {_FILE: content})
    except LibraryErrors:
        # Objects of these names have ids of their own, or the ids are something else's: an earlier version gave none.
        return import_texts(datastore, ports, secrets, {_FILE: _IDS.sub(b"", content)})
