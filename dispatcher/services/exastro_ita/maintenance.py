"""Maintenance: records of a menu are registered, updated, discarded, restored and deleted: a whole request or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from dispatcher.core.attempts import again
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.exastro_ita import ITA_ANSWERS, ItaWorkspace
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.exastro_ita import drafts, files, journal, rights
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.changing import Changing
from dispatcher.services.exastro_ita.choices import Choices
from dispatcher.services.exastro_ita.drafts import Sent
from dispatcher.services.exastro_ita.files import Contents
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.messages import NO_COLUMN, InvalidRecords, ItaError, Message
from dispatcher.services.exastro_ita.records import Action, Change, LockedFirst, Scope
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.resources import brought_by
from dispatcher.services.settings import Settings
from dispatcher.services.submits import SubmitKey, Submits


@dataclass(frozen=True, slots=True)
class Changed:
    """How many records were changed in which way, and their ids in the order of the request."""

    counts: Mapping[Action, int]
    ids: Sequence[UUID]


class Maintenance:
    """Changes records. May be used by many threads."""

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        catalogue: Catalogue,
        choices: Choices,
        settings: Settings,
        submits: Submits,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._catalogue = catalogue
        self._choices = choices
        self._settings = settings
        self._submits = submits

    def require_open(self) -> None:
        """Check that records may be changed at all.

        :raises ItaError: 498-00001 in maintenance mode.
        """
        if self._settings.current().get("exastro_ita.maintenance_mode") == "ON":
            raise ItaError("498-00001")

    def change(
        self,
        workspace: Workspace,
        menu: str,
        records: Sequence[Sent],
        caller: Caller,
        *,
        language: str = "ja",
        contents: Mapping[int, Mapping[str, bytes]] | None = None,
        key: SubmitKey | None = None,
    ) -> Changed:
        """Change *records* of *menu* in order, in one transaction; each is an object with an object ``parameter``.

        *contents* are files that came beside them: by the index of the record, and the column. For one *key* all that
        is done once, and what came of it told again for a day.

        :raises ItaError: 498-00001, 499-00002, 499-00003, 499-00001, 401-00001 or 499-00223, in this order.
        :raises InvalidRecords: with all that is wrong; nothing is stored then.
        :raises Forbidden: without the right of the core on what records stand for.
        :raises KeyReused: if the key was given for something else before.
        """
        self.require_open()
        received = files.receive(records, contents)

        def work() -> Changed:
            with self._datastore.begin() as session:
                scope = Scope(session, workspace, caller, self._ports.now(), language)
                return self._once(scope, key, lambda: self._change(scope, menu, records, received))

        try:
            return again(work)
        except IntegrityError:
            # Somebody was quicker who had not to wait for us: this time he is seen.
            return again(work)

    def _once(self, scope: Scope, key: SubmitKey | None, make: Callable[[], Changed]) -> Changed:
        if key is None:
            return make()
        made: list[Changed] = []

        def make_one() -> UUID:
            made.append(make())
            return self._remember(scope, made[0])

        answer_id = self._submits.once_id(scope.caller, "ita.maintenance", key, make_one)
        if made:
            return made[0]
        found = scope.session.scalars(select(ITA_ANSWERS.c.document).where(ITA_ANSWERS.c.id == answer_id)).one()
        counts = {Action(action): count for action, count in found["counts"].items()}
        return Changed(counts, [UUID(one) for one in found["ids"]])

    def _remember(self, scope: Scope, changed: Changed) -> UUID:
        key = self._ports.new_id()
        counts = {action.value: count for action, count in changed.counts.items()}
        document = {"counts": counts, "ids": [str(one) for one in changed.ids]}
        row = {"id": key, "created_at": scope.now, "document": document}
        scope.session.connection().execute(insert(ITA_ANSWERS), row)
        return key

    def _change(self, scope: Scope, name: str, records: Sequence[Sent], contents: Contents) -> Changed:
        menu = rights.find_menu(scope.session, self._catalogue, name)
        rights.require_write(scope, menu)
        if any(one.get("type") == Action.DELETE for one in records):
            rights.require_delete(scope, menu)
        limit = self._settings.current().number("exastro_ita.max_records")
        if len(records) > limit:
            raise ItaError("499-00223", limit)
        return self.change_within(scope, menu, records, contents=contents, is_dated=True)

    def forms(self, scope: Scope) -> Forms:
        """Return what brings values into their other forms, with the lists of choices as they are now."""
        return self._choices.forms(scope)

    def lock(self, scope: Scope, menus: Iterable[Menu] = ()) -> None:
        """Let nobody else change records of the workspace until the transaction ends.

        Whoever is going to change records of several menus names them all before the workspace is locked.
        """
        for menu in menus:
            if isinstance(menu.source, LockedFirst):
                menu.source.lock_first(scope)
        mine = select(ItaWorkspace.id).where(ItaWorkspace.id == scope.workspace.id)
        scope.session.execute(mine.with_for_update(key_share=True))

    def change_within(
        self,
        scope: Scope,
        menu: Menu,
        records: Sequence[Sent],
        *,
        contents: Contents | None = None,
        is_dated: bool = False,
        forms: Forms | None = None,
    ) -> Changed:
        """Change *records* as ``change`` does, inside the transaction of *scope*, without asking for privileges.

        Unless *is_dated* they need not say when they were last changed. *contents* are those of ``files.receive``, if
        that has been called before the transaction, *forms* those of ``forms``, if nothing has changed since.

        :raises InvalidRecords: with all that is wrong: the transaction has to be rolled back then.
        """
        self.lock(scope, [menu])
        contents = files.receive(records) if contents is None else contents
        sent = [drafts.read(menu, index, one, contents.get(index, {})) for index, one in enumerate(records)]
        changing = Changing(scope, menu, forms or self.forms(scope), self._ports.new_id, is_dated)
        changing.judge(sent)
        self._store(scope, _contents(changing.changes))
        # Even if some are wrong already: the others may have faults that only the source finds.
        for index, found in menu.source.write(scope, changing.changes).items():
            for column, messages in found.items():
                changing.faults.setdefault(index, {}).setdefault(column, []).extend(messages)
        if changing.faults:
            raise InvalidRecords(dict(sorted(changing.faults.items())), menu.name)
        self._note(scope, menu, changing)
        return Changed(changing.counts, [change.id for change in changing.changes])

    def _store(self, scope: Scope, contents: Sequence[bytes]) -> None:
        """Store *contents* as far as what all of the caller's uploads may have allows it."""
        quota = self._settings.current().number("resources.login_quota_bytes")
        added = files.store(scope.session, contents, scope.now, scope.caller.name)
        if added and quota and brought_by(scope.session, scope.caller.name) > quota:
            raise InvalidRecords({0: {NO_COLUMN: [Message("499-00222", (f"{added:,} byte(s)",))]}})

    def _note(self, scope: Scope, menu: Menu, changing: Changing) -> None:
        """Write down what has happened."""
        changes = changing.changes
        if not changes:
            return
        journal.write(scope, menu, changes, self._ports.new_id)
        counts = {action.value: count for action, count in changing.counts.items()}
        place = {"workspace": f"{scope.workspace.organization}/{scope.workspace.name}"}
        subject = Subject("record", menu.name)
        audit.record(scope.session, scope.now, scope.caller, "record.changed", subject, new={**place, **counts})
        gone = [change for change in changes if change.action is Action.DELETE]
        audit.record_all(scope.session, scope.now, scope.caller, [_removed(menu, one) for one in gone])


def _contents(changes: Sequence[Change]) -> list[bytes]:
    return [data for change in changes for data in change.files.values()]


def _removed(menu: Menu, change: Change) -> audit.Change:
    return audit.Change("record.removed", Subject("record", menu.name, change.id), old=journal.told(menu, change))
