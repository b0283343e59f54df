"""Columns: what a menu says of the members of its records, and how their values are read, stored and shown.

A value has three forms. *Sent*: what a request has, texts mostly. *Stored*: what ``ItaRecord.values`` and sources
have: texts, numbers, moments as aware ISO texts, ids of choices, ``{"name", "sha256", "size"}`` for files, sealed texts
for passwords; None for nothing. *Shown*: what answers have.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What the values of a column are."""

    KEY = auto()  #: the id of the record
    TEXT = auto()  #: one line
    LINES = auto()  #: several lines
    INTEGER = auto()
    NUMBER = auto()
    DATE = auto()  #: ``YYYY/MM/DD``
    MOMENT = auto()  #: ``YYYY/MM/DD HH:MM:SS``, in the time zone of the site
    CHOICE = auto()  #: one of the choices that ``Column.choices`` names; sent and shown as its text, stored as its id
    PASSWORD = auto()  #: never shown
    FILE = auto()  #: a name in ``parameter``, a content in ``file``
    LINK = auto()  #: a text that is an address
    JSON = auto()
    BUTTON = auto()  #: something to click on in the vendor's web pages; records have no value for it
    REMARKS = auto()
    DISCARD = auto()  #: ``0`` live, ``1`` discarded
    CHANGED_AT = auto()  #: ``YYYY/MM/DD HH:MM:SS.ffffff``, in the time zone of the site
    CHANGED_BY = auto()


@dataclass(frozen=True, slots=True)
class Label:
    """What is shown for a thing, in Japanese and in English."""

    ja: str
    en: str

    def text(self, language: str) -> str:
        """Return the text in *language*: ``ja`` or ``en``."""
        return self.ja if language == "ja" else self.en


#: What there is nothing to say of.
NOTHING = Label("", "")


@dataclass(frozen=True, slots=True)
class Column:
    """A column. The flags are those of the vendor's ``column_info``."""

    name: str  #: its REST name
    label: Label
    kind: Kind
    is_required: bool = False
    is_unique: bool = False
    is_auto: bool = False  #: filled by the system
    input: str = "1"  #: ``0`` not taken, ``1`` taken, ``2`` hidden and not taken, ``3`` taken, but in no plain form
    is_viewed: bool = True  #: whether answers of filters have it
    max_bytes: int | None = None  #: of the text in UTF-8
    least: float | None = None
    most: float | None = None
    pattern: str = ""  #: a regular expression of RE2 that the whole value fits
    choices: str = ""  #: the name of the list (``services.exastro_ita.choices``) that the values of a CHOICE are from
    is_many: bool = False  #: several choices: stored as a list of ids, sent and shown as a list of texts
    is_secret: bool = False  #: the content of the FILE is never shown
    initial: str | None = None
    description: Label = NOTHING
    groups: tuple[Label, ...] = ()  #: the headings that it stands under, outermost first
