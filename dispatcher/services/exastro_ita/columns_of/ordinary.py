"""The columns that every menu has: the key before its own ones, remarks and what the system writes after them."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label

#: Bytes of remarks, and of all long texts.
LONG = 4000
#: Bytes of names.
SHORT = 255
#: Bytes of ids.
ID = 40


def key(name: str, ja: str, en: str) -> Column:
    """The id of the record: given by the system, and sent to say which record is meant."""
    return Column(name, Label(ja, en), Kind.KEY, is_required=True, is_unique=True, is_auto=True)


def text(name: str, ja: str, en: str, max_bytes: int | None = SHORT) -> Column:
    """One line that need not be sent."""
    return Column(name, Label(ja, en), Kind.TEXT, max_bytes=max_bytes)


def ending(*, discard: str = "1", remarks: str = "1", is_required: bool = True) -> tuple[Column, ...]:
    """Return the last four; *discard* and *remarks* say whether these are taken (``Column.input``)."""
    return (
        Column("remarks", Label("備考", "Remarks"), Kind.REMARKS, input=remarks, max_bytes=LONG),
        Column(
            "discard",
            Label("廃止フラグ", "Discard"),
            Kind.DISCARD,
            is_required=is_required,
            is_auto=True,
            input=discard,
        ),
        Column(
            "last_update_date_time",
            Label("最終更新日時", "Last update date/time"),
            Kind.CHANGED_AT,
            is_required=is_required,
            is_auto=True,
            input="0",
        ),
        Column(
            "last_updated_user",
            Label("最終更新者", "Last updated by"),
            Kind.CHANGED_BY,
            is_required=is_required,
            is_auto=True,
            input="0",
        ),
    )
