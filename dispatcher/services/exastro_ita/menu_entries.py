"""Menu entries: what a library file may say of workspaces, and of the sheets that users define."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, StringConstraints

from dispatcher.services.library.entries import Entry, Name, NamedEntry, Reference, Text

#: The most bytes of a text.
MAX_BYTES = 1_048_576
#: What stands in the paths of requests.
PathName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[0-9A-Za-z_-][0-9A-Za-z_.-]*$"),
]
#: What requests and answers call a menu or a column.
RestName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[0-9A-Za-z_][0-9A-Za-z_-]*$")
]
Number = Annotated[float, Field(allow_inf_nan=False)]

#: Where choices may come from, without a menu being named.
ChoiceSource = Literal["booleans", "conductors", "devices", "host_groups", "operation_names", "operations", "playbooks"]


def _to_title(value: object) -> object:
    return {"ja": value, "en": value} if isinstance(value, str) else value


class TitleEntry(Entry):
    """What is shown for something, in Japanese and in English; one of them is enough, and a text is for both."""

    ja: Text = ""
    en: Text = ""


def _to_choices(value: object) -> object:
    is_list = isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)
    is_column = isinstance(value, dict) and value.keys() == {"menu", "column"}
    if value is None or is_list or is_column or value in get_args(ChoiceSource):
        return value
    names = ", ".join(get_args(ChoiceSource))
    raise ValueError(f"is a list of texts, a column such as {{menu: m, column: c}}, or one of {names}")


Title = Annotated[TitleEntry, BeforeValidator(_to_title)]


class MenuColumnEntry(Entry):
    """A column of another menu, whose values are the choices."""

    menu: RestName
    column: RestName


class SheetColumnEntry(Entry):
    """A column of a sheet."""

    name: RestName
    title: Title = TitleEntry()
    kind: Literal["text", "lines", "integer", "number", "date", "moment", "choice", "password", "file", "link"] = "text"
    max_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES)] | None = None
    min: Number | None = None
    max: Number | None = None
    pattern: Text = ""
    required: bool = False
    unique: bool = False
    choices: Annotated[ChoiceSource | MenuColumnEntry | list[Name] | None, BeforeValidator(_to_choices)] = None
    initial: Text = ""
    description: Title = TitleEntry()
    groups: Annotated[list[Title], Field(max_length=10)] = []


class MenuEntry(NamedEntry):
    """A parameter sheet: a menu whose records give hosts the values of an operation."""

    name: RestName
    title: Title = TitleEntry()
    description: Title = TitleEntry()
    type: Annotated[int, Field(ge=1, le=4)] = 1
    columns: Annotated[list[SheetColumnEntry], Field(max_length=1_000)] = []


class WorkspaceEntry(NamedEntry):
    """A workspace of an organisation, and the team whose members are its hosts."""

    name: PathName
    organization: PathName
    team: Reference
