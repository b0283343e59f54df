"""Quotas: how large, deep and wide a message may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits that readers enforce. Published on the help page."""

    message_bytes: int = 4 << 20
    string_chars: int = 1 << 20
    xml_depth: int = 32
    #: Of one element.
    xml_attributes: int = 64
    xml_elements: int = 50_000
    #: Of all different element and attribute names together.
    xml_name_chars: int = 16_384
    #: Of the name of one namespace: every element in it repeats that.
    xml_namespace_chars: int = 1_024
    json_depth: int = 32
    #: Objects and arrays together.
    json_containers: int = 50_000
    #: Members of objects and elements of arrays together.
    json_values: int = 200_000
    json_integer_digits: int = 4_300
