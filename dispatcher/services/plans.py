"""Plans: the definitions that jobs were scheduled with, and what a run of them does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core import definitions
from dispatcher.core.definitions import ModuleDocument, PlannedRun, SealedText
from dispatcher.core.jobs import Shared, WhatKind
from dispatcher.core.parameters import SECRET_TYPES, Parameter, ParameterType, Values
from dispatcher.datastore.definitions import Definition
from dispatcher.services.secrets import Secrets
from dispatcher.tasks.registry import task_type

#: How many definitions are kept in memory. What they say never changes (``datastore.definitions``).
KEPT = 2_000
#: Of how many the inputs are kept as they are shown; when there are more, all are forgotten.
KEPT_INPUTS = 500
#: How many inputs of one are kept so: what is written of each is kept with them.
MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class _Nature:
    """What is known of the types of all tasks together."""

    is_remote: bool
    logs_in: bool
    can_log_in: bool
    can_wait: bool
    takes_inputs: bool


class _Shown:
    """Parameters as they are shown: ``masked`` ones."""

    __slots__ = ("_defaults", "_names", "parameters")

    def __init__(self, masked: Sequence[Parameter]) -> None:
        self.parameters = masked
        # What is stored of a password is not found: it has no name here.
        self._names = [None if one.type is ParameterType.PASSWORD else one.name for one in masked]
        self._defaults = [[one.value1] for one in masked]

    def values(self, stored: Mapping[Any, Sequence[str]]) -> list[str]:
        """Return the *stored* values, in the order of the parameters; the default of what has none."""
        if [*stored] == self._names:  # all of them, as they are declared: the rule
            return [value[0] for value in stored.values()]
        return [stored.get(name, default)[0] for name, default in zip(self._names, self._defaults, strict=True)]


class Plans:
    """Reads frozen definitions, and turns the stored values of a job into parameters and back."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._kept: OrderedDict[str, Mapping[str, Any]] = OrderedDict()
        self._inputs: dict[tuple[Any, ...], _Shown] = {}
        self._natures: dict[tuple[tuple[Any, ...], ...], _Nature] = {}
        self._lock = Lock()

    def document(self, session: Session, what: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the document (see ``core.definitions``) of one of the stored ``what`` of a job.

        Its ``definition`` is an id; ``path``, for the step of a run book, leads to the step inside the definition.
        """
        document: Mapping[str, Any] = self._definition(session, what["definition"])
        for position in what.get("path", ()):
            document = document["steps"][position]["what"]
        return document

    def _definition(self, session: Session, definition_id: str) -> Mapping[str, Any]:
        with self._lock:
            document = self._kept.get(definition_id)
            if document is not None:
                self._kept.move_to_end(definition_id)
                return document
        query = select(Definition.document).where(Definition.id == UUID(definition_id))
        stored: Mapping[str, Any] = session.scalars(query).one()
        with self._lock:
            self._kept[definition_id] = stored
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return stored

    def declared(self, document: Mapping[str, Any]) -> list[Parameter]:
        """Return the parameters that *document* declares, with their defaults, secrets open."""
        return definitions.to_parameters(document["parameters"], self._secrets.open)

    def seal(self, declared: Iterable[Parameter], values: Values) -> Values:
        """Return the *values* of *declared* parameters as a job stores them: secrets sealed.

        ``value2`` is kept for credentials only: the others have it from their declaration.
        """
        sealed = {**values}
        for parameter in declared:
            if parameter.type in SECRET_TYPES and parameter.name in values:
                sealed[parameter.name] = self._sealed(parameter.type, values[parameter.name])
        return sealed

    def open(self, document: Mapping[str, Any], values: Mapping[str, Sequence[str]]) -> list[Parameter]:
        """Return the declared parameters of *document* with the stored *values* in place, secrets open."""
        parameters = self.declared(document)
        for parameter in parameters:
            stored = values.get(parameter.name)
            if stored is None:
                continue
            if parameter.type is ParameterType.PASSWORD:
                parameter.value1 = self._secrets.open(stored[0])
            else:
                parameter.value1 = stored[0]
                if parameter.type is ParameterType.CREDENTIALS:
                    parameter.value2 = self._secrets.open(stored[1])
        return parameters

    def inputs(
        self, session: Session, what: Mapping[str, Any], stored: Mapping[str, Sequence[str]]
    ) -> tuple[Sequence[Parameter], list[str]]:
        """Return what may be shown of the input parameters of one of the stored ``what`` of a job, and their values.

        Those are the *stored* ones, else the defaults. Nothing is decrypted: secrets are empty. The parameters, unless
        there are very many, are shared by all jobs that run it, and by no others: nobody may change them.
        """
        key = (what["definition"], what["id"], what["name"], *what.get("path", ()))
        inputs = self._inputs.get(key)
        if inputs is None:
            shown = [one for one in _masked(self.document(session, what)) if one.is_input]
            is_kept = len(shown) <= MOST_SHOWN
            inputs = _Shown(Shared(shown) if is_kept else shown)
            if is_kept:
                if len(self._inputs) >= KEPT_INPUTS:
                    self._inputs.clear()
                self._inputs[key] = inputs
        return inputs.parameters, inputs.values(stored)

    def outputs(
        self, session: Session, what: Mapping[str, Any], stored: Mapping[str, Sequence[str]]
    ) -> tuple[Sequence[Parameter], list[str]]:
        """Return likewise what is shown of those parameters of one of the ``what`` that have *stored* values."""
        shown = _Shown([one for one in _masked(self.document(session, what)) if one.name in stored])
        return shown.parameters, shown.values(stored)

    def refit(
        self, session: Session, values: Mapping[str, Sequence[str]], old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> dict[str, list[str]]:
        """Return the stored *values* of *old*, one of the stored ``what`` of a job, as *new* has them in its place.

        What is a password now is sealed. What was secret and is so no more, or in another way, is left out.
        """
        before = {} if "definition" not in old else _types(self.document(session, old))
        types, fitted = _types(self.document(session, new)), {}
        for name, stored in values.items():
            kind, was = types.get(name, ParameterType.TEXT), before.get(name, ParameterType.TEXT)
            if kind is was or not (kind.is_secret or was.is_secret):
                fitted[name] = [*stored]
            elif not was.is_secret:  # of credentials, the user
                fitted[name] = self._sealed(kind, [stored[0], ""])
        return fitted

    def links(self, texts: Mapping[str, str | SealedText], declared: Sequence[Parameter]) -> dict[str, str]:
        """Return the *texts* of a definition that give *declared* parameters their values, secrets open."""
        return definitions.unlocked(texts, declared, self._secrets.open)

    def outline(self, session: Session, what: Sequence[Mapping[str, Any]], os: str) -> list[ModuleDocument]:
        """Return the documents of the modules that a run of *what* does on an agent with *os*, in order."""
        found: list[ModuleDocument] = []
        for item in what:
            document = self.document(session, item)
            if item["kind"] == WhatKind.MODULE:
                found.append(cast("ModuleDocument", document))
            else:
                found += [linked["module"] for linked in document["modules"]]
        return [module for module in found if fits_platform(module["platforms"], os)]

    def is_remote(self, session: Session, what: Sequence[Mapping[str, Any]]) -> bool:
        """Whether all that a run of *what* does is done to another computer, so that any agent could do it."""
        return self._nature(session, what).is_remote

    def logs_in(self, session: Session, what: Sequence[Mapping[str, Any]], *, if_given: bool) -> bool:
        """Whether a run of *what* uses an account of the computer that it is for; or, *if_given*, could do so."""
        nature = self._nature(session, what)
        return nature.can_log_in if if_given else nature.logs_in

    def can_wait(self, session: Session, what: Sequence[Mapping[str, Any]]) -> bool:
        """Whether something of *what* logs in only to computers without an agent: it may wait for their agents, too."""
        return self._nature(session, what).can_wait

    def takes_inputs(self, session: Session, what: Sequence[Mapping[str, Any]]) -> bool:
        """Whether something of *what* sees the inputs of its run."""
        return self._nature(session, what).takes_inputs

    def _nature(self, session: Session, what: Sequence[Mapping[str, Any]]) -> _Nature:
        key = tuple((item["definition"], *item.get("path", ())) for item in what)
        nature = self._natures.get(key)
        if nature is None:
            modules = self.outline(session, what, "")
            tasks = [(task_type(task["type"]), task["settings"]) for module in modules for task in module["tasks"]]
            nature = _Nature(
                is_remote=bool(tasks) and all(kind.is_remote(settings) for kind, settings in tasks),
                logs_in=any(kind.needs_account(settings) for kind, settings in tasks),
                can_log_in=any(kind.takes_account(settings) for kind, settings in tasks),
                can_wait=any(
                    kind.takes_account(settings) and not kind.needs_account(settings) for kind, settings in tasks
                ),
                takes_inputs=any(kind.takes_inputs for kind, _ in tasks),
            )
            if len(self._natures) >= KEPT:
                self._natures.clear()
            self._natures[key] = nature
        return nature

    def run(
        self,
        session: Session,
        what: Sequence[Mapping[str, Any]],
        values: Sequence[Mapping[str, Sequence[str]]],
        os: str,
    ) -> PlannedRun:
        """Return what a run of *what* does on an agent with *os*, secrets open.

        A module that declares platforms is left out on any other.

        :raises Unavailable: if a secret cannot be opened.
        """
        planned = PlannedRun([], [])
        for place, (item, stored) in enumerate(zip(what, values, strict=True)):
            document, kind = self.document(session, item), WhatKind(item["kind"])
            parameters = self.open(document, stored)
            modules = definitions.plan(kind, document, parameters, self._secrets.open, place)
            planned.modules += [module for module in modules if fits_platform(module.document["platforms"], os)]
            planned.scopes.append(None if kind is WhatKind.MODULE else parameters)
        return planned

    def _sealed(self, kind: ParameterType, value: Sequence[str]) -> list[str]:
        if kind is ParameterType.PASSWORD:
            return [self._secrets.seal(value[0])]
        return [value[0], self._secrets.seal(value[1])]


def _masked(document: Mapping[str, Any]) -> list[Parameter]:
    return [one.masked() for one in definitions.to_parameters(document["parameters"], lambda _sealed: "")]


def _types(document: Mapping[str, Any]) -> dict[str, ParameterType]:
    return {one["name"]: ParameterType(one["type"]) for one in document["parameters"]}


def fits_platform(platforms: Sequence[str], os: str) -> bool:
    """Whether something for *platforms* runs on *os*. No platforms means all; an unknown os gets everything."""
    return not platforms or not os or os.upper() in platforms
