"""A small service with every kind of argument, for tests of the endpoints: it answers what it was given."""

# Spyne makes static methods of the operations: there is no self.
# ruff: noqa: A002, N802, N805

from __future__ import annotations

from typing import Any

from dispatcher.core.errors import Conflict, Forbidden, InvalidValue, JobNotFound, NotAuthenticated, Unavailable
from dispatcher.wire.operations import Route, operation, operations_of
from dispatcher.wire.types import (
    Bytes,
    DataContract,
    DataContractEnum,
    Flag,
    MaybeFlag,
    MaybeMoment,
    MaybeNumber,
    Text,
    array_of,
    new,
)

from spyne import ServiceBase  # isort: skip

NAMESPACE = "http://tempuri.org/"
Colour = DataContractEnum.of("Colour", {"Red": 3, "Green": 5})

#: What ``Fail`` raises, by the kind that it is asked for.
ERRORS: dict[str, Exception] = {
    "value": InvalidValue("kind", "is wrong"),
    "forbidden": Forbidden("eve", "read", "Jobs"),
    "missing": JobNotFound("{1}"),
    "conflict": Conflict("already there"),
    "busy": Unavailable("come back later"),
    "stranger": NotAuthenticated(),
    "hostile": Conflict("a\x00b<script>\x1b&\ud800"),
    "defect": ZeroDivisionError("secret detail"),
}


class Thing(DataContract):
    Colour = Colour
    Data = Bytes
    Flag = MaybeFlag
    Name = Text
    Number = MaybeNumber
    When = MaybeMoment


class Wrapper(DataContract):
    Thing = Thing


class EchoService(ServiceBase):  # type: ignore[misc]
    @operation(Route("POST", "things", {}, "thing"), Thing, returns=Thing)
    def Store(ctx: Any, thing: Any) -> Any:
        return thing

    @operation(Route("PUT", "things/{ID}", {"ID": "id"}, "thing"), Text, Thing, returns=array_of(Text))
    def Change(ctx: Any, id: Any, thing: Any) -> Any:
        return [id, thing.Name]

    @operation(
        Route(
            "GET",
            "things?colour={COLOUR}&Light={LIGHT}&count={COUNT}",
            {"COLOUR": "colour", "LIGHT": "light", "COUNT": "count"},
        ),
        Colour,
        Flag,
        MaybeNumber,
        returns=Thing,
    )
    def Find(ctx: Any, colour: Any, light: Any, count: Any) -> Any:
        return new(Thing, Colour=colour, Flag=light, Number=count)

    @operation(Route("GET", "things/{ID}", {"ID": "id"}), Text, returns=Text)
    def Show(ctx: Any, id: Any) -> Any:
        return id

    @operation(Route("GET", "things/first", {}), returns=Text)
    def First(ctx: Any) -> Any:
        return "the first"

    @operation(Route("GET", "{KIND}s/{ID}/name", {"KIND": "kind", "ID": "id"}), Colour, Text, returns=Text)
    def Name(ctx: Any, kind: Any, id: Any) -> Any:
        return f"{kind} {id}"

    @operation(Route("GET", "who", {}), returns=Text)
    def WhoAmI(ctx: Any) -> Any:
        return ctx

    @operation(Route("GET", "fail?kind={KIND}", {"KIND": "kind"}), Text, returns=Text)
    def Fail(ctx: Any, kind: Any) -> Any:
        raise ERRORS[kind]

    @operation(Route("POST", "wrap", {}, "wrapper"), Wrapper, returns=Wrapper)
    def Wrap(ctx: Any, wrapper: Any) -> Any:
        return wrapper


OPERATIONS = operations_of(EchoService)
