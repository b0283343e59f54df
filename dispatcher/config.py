"""Configuration: what a process must know before it opens the datastore.

The command line wins over ``DISPATCHER_<SECTION>__<KEY>``, that over the TOML file, that over the defaults.
Every setting stands in ``conf/dispatcher.toml``. What may change at run time is kept in ``services.settings``.
"""

from __future__ import annotations

import os
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource
from sqlalchemy import URL

from dispatcher import snmp
from dispatcher.addresses import Address, to_address, to_optional_address, with_port
from dispatcher.core.errors import BadRequest, InvalidValue
from dispatcher.core.networks import PRIVATE, Networks
from dispatcher.datastore.engines import parse_url
from dispatcher.directories import data_directory

#: Where the API of Symantec CCS is, unless its listener says otherwise.
CCS_PORT = 12431
#: That of Ivanti Endpoint Security (contract 1.1).
IES_PORT = 43470
_PREFIX = "DISPATCHER_"


class ConfigErrors(BadRequest):
    """The configuration is wrong. ``problems`` says where and why, each in a line."""

    code = "config.invalid"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the configuration is wrong:\n  " + "\n  ".join(problems), problems=problems)
        self.problems = problems


def _to_datastore_url(value: object) -> object:
    if value:
        try:
            parse_url(str(value))
        except ValueError:
            # The value is not repeated: it may hold a password.
            raise ValueError("must be a URL of SQLite, PostgreSQL or MariaDB, such as sqlite:////tmp/test.db") from None
    return value


def _to_networks(value: object) -> object:
    # In the environment a list is a text with commas.
    parts = [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
    if isinstance(parts, list | tuple):
        try:
            Networks.parse(map(str, parts))
        except InvalidValue as error:
            raise ValueError(error.message) from None
    return parts


def _to_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


_Networks = Annotated[tuple[str, ...], BeforeValidator(_to_networks)]
_Address = Annotated[Address, BeforeValidator(to_address)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Web(_Section):
    """The listener that clients and browsers use."""

    listen: _Address = Address("127.0.0.1", 8080)
    allow_no_login: bool = False
    allow_plain_http: bool = False
    tls_cert: str = ""
    tls_key: Annotated[str, Field(validate_default=True)] = ""

    @field_validator("tls_key")
    @classmethod
    def _goes_with_certificate(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("tls_cert")):
            raise ValueError("tls_cert and tls_key need each other")
        return value


class Agents(_Section):
    """The listener that agents use; with TLS when ``web`` has it."""

    listen: _Address = Address("127.0.0.1", 3163)


class Listeners(_Section):
    """Listeners of single vendor APIs beside ``web``, which serves all; with TLS of their own, else that of ``web``."""

    ccs: Annotated[Address | Literal[""], BeforeValidator(with_port(CCS_PORT))] = ""
    ccs_tls_cert: str = ""
    ccs_tls_key: Annotated[str, Field(validate_default=True)] = ""
    ies: Annotated[Address | Literal[""], BeforeValidator(with_port(IES_PORT))] = ""
    ies_tls_cert: str = ""
    ies_tls_key: Annotated[str, Field(validate_default=True)] = ""

    @field_validator("ccs_tls_key", "ies_tls_key")
    @classmethod
    def _goes_with_certificate(cls, value: str, info: ValidationInfo) -> str:
        side = str(info.field_name).partition("_")[0]
        if bool(value) != bool(info.data.get(f"{side}_tls_cert")):
            raise ValueError(f"{side}_tls_cert and {side}_tls_key need each other")
        if value and info.data.get(side) == "":
            raise ValueError(f"{side}_tls_cert and {side}_tls_key are of no use without {side}")
        return value


class Snmp(_Section):
    """The listener for SNMP traps by which devices tell of changed configurations; off without ``listen``."""

    listen: Annotated[Address | Literal[""], BeforeValidator(to_optional_address)] = ""
    communities: Annotated[tuple[str, ...], BeforeValidator(_to_list), Field(repr=False, validate_default=True)] = ()
    change_traps: Annotated[tuple[str, ...], BeforeValidator(_to_list)] = snmp.CHANGE_TRAPS

    @field_validator("communities")
    @classmethod
    def _is_needed(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("listen") and not value:
            raise ValueError("traps need a community that they must name")
        return value

    @field_validator("change_traps")
    @classmethod
    def _are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            snmp.encode_id(one)
        return value


class Store(_Section):
    """The datastore, and the key file outside it. Empty ones stand for the defaults (see ``Config``)."""

    url: Annotated[str, BeforeValidator(_to_datastore_url), Field(repr=False)] = ""
    key_file: str = ""


class Network(_Section):
    """Whom the tasks of the local agent may call."""

    allowed_targets: _Networks = PRIVATE


class Limits(_Section):
    """How much one request, and all of them together, may ask for."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 4 << 20
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    threads: Annotated[int, Field(ge=1, le=1000)] = 16
    max_waiting: Annotated[int, Field(ge=1, le=100_000)] = 1024
    max_upload_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 2 << 30
    max_uploads: Annotated[int, Field(ge=1, le=1000)] = 8
    upload_directory: str = ""
    string_chars: Annotated[int, Field(ge=1024)] = 1 << 20
    xml_depth: Annotated[int, Field(ge=8, le=200)] = 32
    xml_attributes: Annotated[int, Field(ge=8)] = 64
    xml_elements: Annotated[int, Field(ge=100)] = 50_000
    xml_name_chars: Annotated[int, Field(ge=1024)] = 16_384
    json_depth: Annotated[int, Field(ge=8, le=200)] = 32
    json_values: Annotated[int, Field(ge=1000)] = 200_000
    json_integer_digits: Annotated[int, Field(ge=20, le=4300)] = 4300


class Log(_Section):
    """What is logged, and how it is written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Engine(_Section):
    """The clock and the leases."""

    # Agents are told it and renew what they hold three times a lease: two calls in a row may fail.
    lease_s: Annotated[int, Field(ge=2, le=3600)] = 30
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    name: Annotated[str, Field(max_length=255)] = ""


class LocalAgent(_Section):
    """The agent that ``dispatcher serve`` starts beside itself."""

    enabled: bool = True
    slots: Annotated[int, Field(ge=1, le=64)] = 2


class Config(BaseSettings):
    """All settings, checked; nothing of it changes any more."""

    model_config = {"extra": "forbid", "frozen": True}

    web: Web = Web()
    agents: Agents = Agents()
    listeners: Listeners = Listeners()
    snmp: Snmp = Snmp()
    datastore: Store = Store()
    network: Network = Network()
    limits: Limits = Limits()
    log: Log = Log()
    engine: Engine = Engine()
    local_agent: LocalAgent = LocalAgent()

    @property
    def datastore_url(self) -> URL:
        """The datastore; by default the SQLite file ``dispatcher.db`` in the data directory."""
        if self.datastore.url:
            return parse_url(self.datastore.url)
        return URL.create("sqlite", database=str(data_directory() / "dispatcher.db"))

    @property
    def name(self) -> str:
        """The name of this dispatcher, which settings of its own are kept under; by default the computer's."""
        return self.engine.name or platform.node()

    @property
    def key_file(self) -> Path:
        """The file of the key for secrets; by default beside a SQLite datastore, else in the data directory."""
        return Path(self.datastore.key_file) if self.datastore.key_file else self._beside(".key")

    @property
    def agent_home(self) -> Path:
        """The folder of the local agent: beside a SQLite datastore, else in the data directory."""
        return self._beside(".agent")

    @property
    def upload_directory(self) -> Path:
        """Where uploads are kept while they come; by default beside a SQLite datastore, else the data directory."""
        return Path(self.limits.upload_directory) if self.limits.upload_directory else self._beside("").parent

    def _beside(self, suffix: str) -> Path:
        url = self.datastore_url
        # Two datastores on one computer must not share an agent's identity.
        if url.get_backend_name() == "sqlite" and url.database:
            return Path(url.database).absolute().with_suffix(suffix)
        return data_directory() / f"dispatcher{suffix}"


def load(
    command_line: Mapping[str, Mapping[str, object]] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration.

    :param command_line: what was given there, as ``{section: {key: value}}``.
    :param file: the TOML file; without it ``DISPATCHER_CONFIG`` names one, or none is read.
    :raises ConfigErrors: all that is wrong, each with its place.
    """
    path = file or (Path(environ["DISPATCHER_CONFIG"]) if environ.get("DISPATCHER_CONFIG") else None)
    given = {section: dict(values) for section, values in (command_line or {}).items()}
    layers = _Layers(given, _from_environment(environ), {} if path is None else _read(path), path)

    try:
        config = _bound_to(layers)()
    except ValidationError as error:
        raise ConfigErrors(layers.unknown_names() + [layers.describe(one) for one in error.errors()]) from None
    if problems := layers.unknown_names():
        raise ConfigErrors(problems)
    return config


@dataclass(frozen=True, slots=True)
class _Layers:
    """Where each setting may come from, to name the place of a wrong one."""

    command_line: dict[str, Any]
    environment: dict[str, str]
    file: dict[str, Any]
    path: Path | None

    def from_environment(self) -> dict[str, dict[str, str]]:
        """Return what the environment gives to the sections that exist, ``{section: {key: text}}``."""
        # pydantic-settings would take the text of an address or a list for JSON, and stop at the first that is none.
        given: dict[str, dict[str, str]] = {section: {} for section in Config.model_fields}
        for name, value in self.environment.items():
            section, _, key = name.removeprefix(_PREFIX).lower().partition("__")
            if section in given:
                given[section][key] = value
        return {section: values for section, values in given.items() if values}

    def unknown_names(self) -> list[str]:
        """Return the environment's names of sections that do not exist (those of keys are found by the model)."""
        sections = Config.model_fields
        return [
            f"{name}: there is no such setting"
            for name in sorted(self.environment)
            if name.removeprefix(_PREFIX).partition("__")[0].lower() not in sections
        ]

    def describe(self, error: Any) -> str:
        """Return a line about one *error* of pydantic: its place, and what is wrong there."""
        location = [str(part) for part in error["loc"]]
        text = "there is no such setting" if error["type"] == "extra_forbidden" else error["msg"]
        return f"{self._place(location)}: {text.removeprefix('Value error, ')}"

    def _place(self, location: list[str]) -> str:
        section, key = location[0], ".".join(location[1:])
        if key in self.command_line.get(section, {}):
            return f"command line: {section}.{key}"
        name = f"{_PREFIX}{section}__{key}".upper()
        if name in self.environment:
            return name
        return f"{self.path}: {'.'.join(location)}" if section in self.file else ".".join(location)


def _bound_to(layers: _Layers) -> type[Config]:
    """Return the model, reading from *layers* instead of this process's own environment."""

    class Layered(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the names are pydantic's
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            given = (layers.command_line, layers.from_environment(), layers.file)
            return tuple(InitSettingsSource(settings_cls, layer) for layer in given)

    return Layered


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    # Names without a section are other programs' business (Kubernetes sets DISPATCHER_PORT for a service so called).
    found = {
        name.upper(): value for name, value in environ.items() if name.upper().startswith(_PREFIX) and "__" in name
    }
    if url := environ.get("DISPATCHER_DATASTORE"):
        found["DISPATCHER_DATASTORE__URL"] = url
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigErrors([f"{path}: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigErrors([f"{path}: {error}"]) from None
