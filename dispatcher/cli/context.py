"""Context: what every command is given: the configuration, and the datastore when a command asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from dispatcher import config
from dispatcher.config import Config
from dispatcher.core.errors import Conflict
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore import schema
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.secrets import Secrets, load_or_create_key

_log = structlog.stdlib.get_logger(__name__)


class SchemaOutdated(Conflict):
    """The datastore was made by an older Dispatcher and must be upgraded first."""

    code = "datastore.schema_outdated"

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the datastore has the old schema {revision}: run 'dispatcher migrate' or start the server",
            revision=revision,
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A datastore that is open, with what services over it need."""

    datastore: Datastore
    ports: Ports
    secrets: Secrets


class Context:
    """The options that stand before the command's name, made into what commands need when they need it."""

    def __init__(self, datastore_url: str | None = None, config_file: Path | None = None) -> None:
        self._datastore_url = datastore_url
        self._config_file = config_file
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The configuration.

        :raises ConfigErrors: if anything in it is wrong.
        """
        if self._config is None:
            self._config = self.configure({})
        return self._config

    def configure(self, command_line: Mapping[str, Mapping[str, object]]) -> Config:
        """Return the configuration with a command's own options, ``{section: {key: value}}``; None is not given.

        :raises ConfigErrors: if anything in it is wrong.
        """
        given = {
            section: {key: value for key, value in values.items() if value is not None}
            for section, values in command_line.items()
        }
        if self._datastore_url is not None:
            given.setdefault("datastore", {})["url"] = self._datastore_url
        return config.load(given, file=self._config_file)

    @contextmanager
    def open(self) -> Iterator[Opened]:
        """Give the datastore; close it at the end.

        One without any schema is made ready first, so that logins and settings can be made before the server's
        first start. An older schema is left alone: upgrading it is a decision (``migrate``, ``serve``).

        :raises SchemaOutdated: if the schema is an older one.
        :raises SchemaTooNew: if it is one that this version does not know.
        """
        key = load_or_create_key(self.config.key_file)
        datastore = Datastore(self.config.datastore_url)
        try:
            before, newest = schema.revisions(datastore.engine)
            if before is None:
                schema.upgrade(datastore.engine)
                _log.info("datastore.created", schema=newest)
            elif before != newest:
                raise SchemaOutdated(before)
            yield Opened(datastore, Ports(now, steady, new_id, NoWakeup()), Secrets(key))
        finally:
            datastore.close()
