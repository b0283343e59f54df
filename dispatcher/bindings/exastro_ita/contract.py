"""The contract: the messages of Exastro IT Automation, as far as they have fixed members."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from dispatcher.bindings.exastro_ita.envelope import Envelope
from dispatcher.wire.json_api.models import Model

#: How many records one request has at most, whatever the setting ``exastro_ita.max_records`` says.
MOST_RECORDS = 10_000
_MOST_MEMBERS = 1_000

Members = Annotated[dict[str, Any], Field(max_length=_MOST_MEMBERS)]
Files = Annotated[dict[str, str], Field(max_length=_MOST_MEMBERS)]


class Info(Envelope[dict[str, Any]]):
    """The columns of a menu and how it is shown."""


class ColumnNames(Envelope[dict[str, str]]):
    """What the columns of a menu are called on pages, by their REST names."""


class Pulldown(Envelope[dict[str, dict[str, Any]]]):
    """What may be chosen in columns, by their REST names: texts by ids."""


class Candidates(Envelope[list[Any]]):
    """Which values of a column there are."""


class Records(Envelope[list[dict[str, Any]]]):
    """Records: each has ``parameter``, the values by columns, and ``file``, the contents of files in base64."""


class Count(Envelope[int]):
    """How many records there are."""


class Changed(Envelope[dict[str, Any]]):
    """How many records were changed in which way, and the ids of all of them."""


class RunStarted(Envelope[dict[str, str]]):
    """The id of a conductor run."""


class RunState(Envelope[dict[str, Any]]):
    """A conductor run, its nodes and its conductor."""


class Said(Envelope[str]):
    """What was done, in words."""


class VersionAnswer(Envelope[dict[str, Any]]):
    """Which version this is, and what playbooks are run by."""


class UserMenus(Envelope[dict[str, Any]]):
    """The menus that the caller may read, by their groups."""


class FileQuery(Model):
    """Whether answers have the contents of files."""

    file: str = Field("", description="`no`: files are there with empty contents", examples=["no"])


Terms = Annotated[
    dict[str, Any],
    Field(
        max_length=_MOST_MEMBERS,
        description='By column: {"NORMAL": text}, {"LIST": [texts]} or {"RANGE": {"START": text, "END": text}}',
        examples=[{"discard": {"NORMAL": "0"}, "host_name": {"LIST": ["h1", "h2"]}}],
    ),
]


class RecordChange(Model):
    """What becomes of one record."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "Register",
                "parameter": {"playbook_name": "echo", "playbook_file": "echo.yml"},
                "file": {"playbook_file": "LSBob3N0czogYWxsCg=="},
            }
        }
    )

    parameter: Members = Field(description="values by the REST names of the columns")
    file: Files | None = Field(None, description="contents of files in base64, by column")
    type: str | None = Field(
        None,
        description="Register, Update, Discard, Restore or Delete; without it Register, or Update if there is a key",
    )


RecordChanges = Annotated[list[RecordChange], Field(max_length=MOST_RECORDS)]


class ApplyBody(Model):
    """An operation, its parameters, and the conductor that is to run with them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "conductor_class_name": "nightly",
                "operation_name": "op-77",
                "schedule_date": "2031/06/01 02:00:00",
                "parameter_info": [
                    {"sheet_a": [{"type": "Register", "parameter": {"host_name": "h1", "column_1": "ok"}}]}
                ],
            }
        }
    )

    conductor_class_name: str
    operation_name: str | None = Field(None, description="a new one is registered; without it one is made up")
    schedule_date: str | None = Field(None, description="yyyy/mm/dd hh:mm or yyyy/mm/dd hh:mm:ss; without it now")
    parameter_info: Annotated[list[Members], Field(max_length=_MOST_MEMBERS)] | None = Field(
        None, description="arrays of records by the REST names of menus; menus are changed in this order"
    )


class ExecuteBody(Model):
    """A conductor that is to run for an operation: both by name, or both by id."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"conductor_class_name": "nightly", "operation_name": "op-77"}}
    )

    conductor_class_name: str | None = None
    operation_name: str | None = None
    conductor_class_id: str | None = None
    operation_id: str | None = None
    schedule_date: str | None = None


class TokenForm(Model):
    """What a client shows to get tokens."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "grant_type": "password",
                "client_id": "_org9-api",
                "scope": "openid offline_access",
                "username": "ann",
                "password": "secret",
            }
        }
    )

    grant_type: Literal["password", "refresh_token"]
    client_id: str = ""
    username: str | None = None
    password: str | None = None
    refresh_token: str | None = None
    scope: str = "openid"


class TokenAnswer(Model):
    """Tokens, as Keycloak gives them out."""

    access_token: str
    expires_in: int = Field(description="seconds")
    refresh_expires_in: int = Field(description="seconds")
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - what kind it is
    id_token: str
    not_before_policy: int = Field(default=0, alias="not-before-policy")
    session_state: str
    scope: str
