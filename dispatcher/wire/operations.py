"""Operations: the one declaration that SOAP, REST, WSDL and help pages are all derived from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dispatcher.core.attempts import again
from dispatcher.wire import spyne_compat as spyne_compat  # before anything of spyne

from spyne import ServiceBase, rpc  # isort: skip


@dataclass(frozen=True, slots=True)
class Route:
    """Where an operation stands in the REST binding."""

    #: ``GET``, ``POST`` or ``PUT``.
    verb: str
    #: WCF UriTemplate with upper-case variables: ``jobs/{JOBID}/results?overview={OVERVIEW}``.
    template: str
    #: Template variable to argument name: ``{"JOBID": "jobId"}``.
    arguments: Mapping[str, str]
    #: The argument that the REST body fills; None for operations without one.
    body: str | None = None
    #: Shown on help pages; empty gives WCF's default sentence.
    description: str = ""
    #: Whether the body is a byte stream, which the types say nothing of.
    is_stream: bool = False
    #: What its own headers mean, by name.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation. It changes what is stored in one transaction, or not at all."""

    name: str
    function: Callable[..., Any]
    route: Route
    #: Argument name and Spyne type, in declared order.
    arguments: tuple[tuple[str, Any], ...]
    #: The Spyne type of the result; None for none.
    returns: Any

    def __call__(self, context: Any, *arguments: Any) -> Any:
        """Return what the operation returns for *context*, its caller, and *arguments*."""
        return again(partial(self.function, context, *arguments))


def operation(route: Route, *types: Any, returns: Any = None) -> Callable[[Callable[..., Any]], Any]:
    """Declare a method of a Spyne service as an operation with arguments of *types*, reached in REST at *route*.

    The part name is ``parameters``: .NET makes an empty proxy from a WSDL with any other.
    """
    declared: Callable[[Callable[..., Any]], Any] = rpc(
        *types, _returns=returns, _wsdl_part_name="parameters", _udp={"route": route, "returns": returns}
    )
    return declared


def operations_of(service: type[ServiceBase]) -> dict[str, Operation]:
    """Return the operations of *service* by name, in declared order."""
    return {name: _described(name, descriptor) for name, descriptor in service.public_methods.items()}


def _described(name: str, descriptor: Any) -> Operation:
    return Operation(
        name=name,
        function=descriptor.function,
        route=descriptor.udp["route"],
        arguments=tuple(descriptor.in_message._type_info.items()),
        returns=descriptor.udp["returns"],
    )
