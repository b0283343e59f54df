"""Changing: the records of one request to one menu, judged one by one as if each had been changed before the next.

All faults of all records are found, as the vendor does, and only few queries are made, however many records there are:
what they need is looked up for all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dispatcher.services.exastro_ita import drafts, files
from dispatcher.services.exastro_ita.columns import Column, Kind
from dispatcher.services.exastro_ita.drafts import Draft
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import NO_COLUMN, Message
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.sent_values import Unfit
from dispatcher.services.exastro_ita.uniqueness import Uniqueness
from dispatcher.services.exastro_ita.values import Forms

#: How many texts of a list of choices are looked for one by one.
_FEW = 4
#: Of the columns of a record: what is wrong with them.
Faults = dict[str, list[Message]]


@dataclass(slots=True)
class _Read:
    """The values of the columns that were sent, in their stored form, and what is wrong with the others."""

    values: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, Message] = field(default_factory=dict)


@dataclass(slots=True)
class Changing:
    """What a request makes of the records of *menu*; ``changes`` are those that nothing is wrong with."""

    scope: Scope
    menu: Menu
    forms: Forms
    new_id: Callable[[], UUID]
    #: Whether changes of records that are there must say when they were last changed.
    is_dated: bool
    changes: list[Change] = field(default_factory=list)
    faults: Found = field(default_factory=dict)
    counts: Counter[Action] = field(default_factory=Counter)
    _now: dict[UUID, Record] = field(default_factory=dict)
    _required: list[str] = field(default_factory=list)

    def judge(self, sent: Sequence[Draft]) -> None:
        """Judge the records *sent* in their order."""
        self._required = drafts.required(self.menu)
        ids = {key for draft in sent if draft.action and (key := draft.id) is not None}
        self._now = dict(self.menu.source.lock(self.scope, ids)) if ids else {}
        self._forget_columns()
        self._read_lists(sent)
        read = [self._read(draft) for draft in sent]
        unique = Uniqueness(self.scope, self.menu)
        if unique.is_needed:
            unique.look_up(
                texts for draft, one in zip(sent, read, strict=True) for texts in self._texts(unique, draft, one.values)
            )
        for draft, one in zip(sent, read, strict=True):
            if found := self._judge(draft, one, unique):
                self.faults[draft.index] = found

    def _forget_columns(self) -> None:
        """Drop what records have in columns that the sheet has no more: it is not stored again."""
        for record in self._now.values() if self.menu.is_sheet else ():
            record.values = {name: value for name, value in record.values.items() if name in self.menu.by_name}

    def _read_lists(self, sent: Sequence[Draft]) -> None:
        """Read the lists of choices of which many texts were sent: to look for each of these takes longer."""
        for column in self.menu.columns:
            if column.kind is Kind.CHOICE and len(sent) > _FEW:
                texts = {text for draft in sent if isinstance(text := draft.parameter.get(column.name), str)}
                if len(texts) > _FEW:
                    self.forms.lists.of(column.choices)

    def _read(self, draft: Draft) -> _Read:
        read = _Read()
        for column in draft.columns:
            name, sent = column.name, draft.parameter[column.name]
            if column.kind in drafts.OF_RECORD:
                continue
            if column.is_required and sent in (None, "", []):
                read.wrong[name] = Message("MSG-00030")
                continue
            try:
                value = self.forms.stored(files.NAME if column.kind is Kind.FILE else column, sent)
            except Unfit as error:
                read.wrong[name] = error.message
                continue
            if value is None and column.is_required:  # such as a list of no choices
                read.wrong[name] = Message("MSG-00030")
            read.values[name] = value
        return read

    def _texts(self, unique: Uniqueness, draft: Draft, values: Mapping[str, Any]) -> Iterator[dict[str, str]]:
        """Give the unique values that a record has now, so that it is known who else has them, and will have."""
        before = self._now.get(draft.id) if draft.id is not None else None
        if before is not None:
            yield unique.texts(before.values)
        yield unique.texts(values if before is None else {**before.values, **values})

    def _judge(self, draft: Draft, read: _Read, unique: Uniqueness) -> Faults:
        """Return what is wrong with a record; if nothing is, it is changed from here on."""
        if draft.action is None:
            return {NO_COLUMN: [Message("MSG-00027", (draft.type,))]}
        faults: Faults = {}
        action, before = self._what(draft, draft.action, faults)
        if action not in self.menu.actions:
            _add(faults, NO_COLUMN, Message("401-00002", (action.value, self.menu.name)))
            return faults
        if draft.unknown:
            _add(faults, NO_COLUMN, Message("MSG-00029", (",".join(draft.unknown),)))
        if action is Action.REGISTER:
            for name, message in drafts.missing(draft, self._required, self.menu.key.name).items():
                _add(faults, name, message)
        columns = drafts.kept_of(action, draft.columns)
        values = {one.name: read.values[one.name] for one in columns if one.name in read.values}
        key = before.id if before is not None else self.new_id()
        change = Change(draft.index, action, key, values, before)
        if action is not Action.DISCARD:
            self._check_columns(draft, change, columns, read.wrong, faults)
        if action not in (Action.DISCARD, Action.DELETE):
            self._check_unique(draft, change, unique, faults)
        if action is Action.RESTORE and before is not None:
            self._check_restored(change, faults)
        if not faults:
            self._carry_out(change, unique)
        return faults

    def _what(self, draft: Draft, action: Action, faults: Faults) -> tuple[Action, Record | None]:
        """Return what is done with which record that is there (None: a new one); note what is wrong with that."""
        if action is Action.REGISTER:
            return action, None
        record = self._now.get(draft.id) if draft.id is not None else None
        if record is None:
            _add(faults, NO_COLUMN, Message("MSG-00007", (draft.key,)))
            return action, None
        is_given = bool(draft.parameter.get(drafts.CHANGED_AT))
        if (self.is_dated or is_given) and (late := drafts.dated(draft, record, self.forms.zone)) is not None:
            _add(faults, NO_COLUMN, late)
        action, refused = drafts.becomes(draft, action, record)
        if refused is not None:
            _add(faults, NO_COLUMN, refused)
        return action, record

    def _check_columns(
        self, draft: Draft, change: Change, columns: Sequence[Column], wrong: Mapping[str, Message], faults: Faults
    ) -> None:
        """Note what is wrong with what was sent of *columns*; give files their contents."""
        for column in columns:
            message = wrong.get(column.name)
            if message is None and column.kind is Kind.FILE:
                message = self._file(draft, change, column)
            if message is not None:
                _add(faults, column.name, message)

    def _file(self, draft: Draft, change: Change, column: Column) -> Message | None:
        """Give the file in *column* its content; return what is wrong with it."""
        name = change.values.get(column.name)
        if not name:
            change.values[column.name] = None
            return None
        if column.name in draft.contents:
            if (data := draft.contents[column.name]) is None:
                return Message("MSG-00011")
            if column.max_bytes is not None and len(data) > column.max_bytes:
                return Message("MSG-00010", (column.max_bytes, len(data)))
            if column.is_secret:
                data = self.forms.secrets.seal_bytes(data)
            change.values[column.name] = files.named(name, data)
            change.files[column.name] = data
            return None
        known = change.before.values.get(column.name) if change.before is not None else None
        if not isinstance(known, dict):
            return Message("MSG-00012", (name,))
        change.values[column.name] = {**known, "name": name}
        return None

    def _check_unique(self, draft: Draft, change: Change, unique: Uniqueness, faults: Faults) -> None:
        """Note which values of the record others have; of an update only those that were sent and are others now.

        What was there before it was refused stays as it is.
        """
        if not unique.is_needed:
            return
        texts = change.unique = unique.texts(change.after)
        before = change.before.values if change.before is not None and change.action is Action.UPDATE else None
        kept = {} if before is None else unique.texts(before)
        new = [name for name, text in texts.items() if kept.get(name) != text]
        for name, other in unique.others(texts, change.id, new).items():
            names = unique.columns_of(name)
            if names is not None:
                columns = (self.menu.by_name[one] for one in names)
                shown = {one.name: self.forms.shown(one, change.after.get(one.name)) for one in columns}
                _add(faults, NO_COLUMN, Message("MSG-00006", (str(shown), str([str(other)]))))
            elif name in change.values or change.action is Action.RESTORE:
                _add(faults, name, Message("MSG-00025", (str(other), draft.parameter.get(name, texts[name]))))

    def _check_restored(self, change: Change, faults: Faults) -> None:
        """Note what a record lacks that is brought back, but for passwords, and which of its choices are gone.

        What is required may have become so since only in a sheet; core objects may never have had it.
        """
        after = change.after
        for column in self.menu.columns:
            value = after.get(column.name)
            if column.kind in drafts.OF_RECORD or column.name in faults:
                continue
            is_needed = self.menu.is_sheet and column.is_required and column.kind is not Kind.PASSWORD
            if value in (None, "") and is_needed:
                _add(faults, column.name, Message("MSG-00030"))
            if value is not None and column.kind is Kind.CHOICE:
                known = self.forms.lists.of(column.choices)
                if any(key not in known for key in (value if isinstance(value, list) else [value])):
                    _add(faults, column.name, Message("MSG-00032", (value,)))

    def _carry_out(self, change: Change, unique: Uniqueness) -> None:
        """Let the records after this one see what this change makes of it."""
        self.changes.append(change)
        self.counts[change.action] += 1
        if change.before is not None and not change.before.is_discarded and unique.is_needed:
            unique.take_away(unique.texts(change.before.values), change.id)
        if change.action is Action.DELETE:
            self._now.pop(change.id, None)
            return
        if not change.is_discarded:
            unique.put(change.unique, change.id)
        stamp = self.scope.now, self.scope.caller.name
        self._now[change.id] = Record(change.id, change.after, change.is_discarded, *stamp)


def _add(faults: Faults, column: str, message: Message) -> None:
    faults.setdefault(column, []).append(message)
