"""Shapes of XML messages under the fuzzer: whatever is read by its shape is what the decoder makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from fuzz import seeds
from wire_values import plain

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.xml_codec import xml_decoder
from dispatcher.wire.xml_reader import read_xml
from dispatcher.wire.xml_shapes import OFTEN, Shapes

_QUOTAS = Quotas()
_SITE = ZoneInfo("Europe/Berlin")


def messages(data: bytes) -> None:
    for model, shapes in _learnt().items():
        known = shapes.read(data, None, _SITE)
        if known is not None:
            assert plain(known[1][0]) == plain(xml_decoder(model)(read_xml(data, None, _QUOTAS, soap=False), _SITE))


@cache
def _learnt() -> Mapping[Any, Shapes[None]]:
    """Return the shapes of the golden bodies, by what they are."""
    learnt: dict[Any, Shapes[None]] = {}
    for body in seeds.xml_bodies():
        root = read_xml(body, None, _QUOTAS, soap=False)
        model = getattr(contract, root.tag.rpartition("}")[2])
        _learn(learnt.setdefault(model, Shapes[None](_QUOTAS)), body, root, model)
    return learnt


def _learn(shapes: Shapes[None], body: bytes, root: Any, model: Any) -> None:
    for _ in range(OFTEN):
        shapes.learn(body, None, root, None, lambda writer: [writer.value(root, model)])
