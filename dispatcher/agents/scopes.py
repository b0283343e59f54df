"""Scopes: the values of a run as they change: those of its modules and those of the projects that they belong to."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.agents.protocol import RunOrder, Value
from dispatcher.agents.values import to_parameter, to_value
from dispatcher.core import definitions
from dispatcher.core.parameters import Parameter, ParameterType


class Scopes:
    """The values of one run. ``secrets`` are all that must not show, also those that have been replaced since."""

    def __init__(self, order: RunOrder) -> None:
        self._order = order
        self._modules = [[to_parameter(value) for value in module.values] for module in order.modules]
        self._projects = [None if scope is None else [to_parameter(value) for value in scope] for scope in order.scopes]
        self._changed: dict[int, set[str]] = {}  #: names that were set, by object of the job
        self.secrets: set[str] = set() if order.account is None else set(order.account.secrets())
        self.secrets.update(secret for one in order.inputs for secret in one.secrets())
        for parameters in (*self._modules, *filter(None, self._projects)):
            self._note_secrets(parameters)

    def module(self, index: int) -> list[Parameter]:
        """Return the values that the tasks of the module see now, in declared order."""
        return self._modules[index]

    def project(self, index: int) -> list[Parameter]:
        """Return the values of the project that the module belongs to; its own, if it belongs to none."""
        project = self._project(index)
        return self._modules[index] if project is None else project

    def begin(self, index: int) -> None:
        """Give the module, which begins, the values that it takes from its project.

        :raises InvalidValue: if one is none of the choices of the parameter that takes it.
        """
        project = self._project(index)
        if project is not None:
            self._modules[index] = definitions.link(self._modules[index], self._order.modules[index].links, project)
            self._note_secrets(self._modules[index])  # a secret may be part of a longer one now

    def change(self, index: int, changed: Iterable[Parameter]) -> None:
        """Give the module the values that one of its tasks has set."""
        by_name = {parameter.name: parameter for parameter in changed}
        self._modules[index] = [by_name.get(parameter.name, parameter) for parameter in self._modules[index]]
        self._note_secrets(by_name.values())
        if self._project(index) is None:
            self._note_changed(index, by_name)

    def end(self, index: int) -> None:
        """Give the project the values that it takes from the module, which has ended.

        :raises InvalidValue: if one is none of the choices of the parameter that takes it.
        """
        project, get = self._project(index), self._order.modules[index].get
        if project is not None:
            self._projects[self._order.modules[index].what] = definitions.take(project, get, self._modules[index])
            self._note_changed(index, get.values())

    def outputs(self) -> list[list[Value]]:
        """Return the output parameters that were set, by object of the job, secrets open."""
        found: list[list[Value]] = []
        for what, project in enumerate(self._projects):
            own = [self._modules[place] for place, module in enumerate(self._order.modules) if module.what == what]
            values = project if project is not None else [parameter for module in own for parameter in module]
            names = self._changed.get(what, set())
            found.append([to_value(one) for one in definitions.outputs_of(values) if one.name in names])
        return found

    def _project(self, index: int) -> list[Parameter] | None:
        what = self._order.modules[index].what
        return self._projects[what] if what < len(self._projects) else None

    def _note_changed(self, index: int, names: Iterable[str]) -> None:
        self._changed.setdefault(self._order.modules[index].what, set()).update(names)

    def _note_secrets(self, parameters: Iterable[Parameter]) -> None:
        """Remember what may not show. The user name of a credential may."""
        for parameter in parameters:
            if parameter.type.is_secret:
                is_credentials = parameter.type is ParameterType.CREDENTIALS
                self.secrets.add(parameter.value2 if is_credentials else parameter.value1)
