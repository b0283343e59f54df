"""Quotas: the limits that the product promises."""

from __future__ import annotations

from dataclasses import asdict

from dispatcher.wire.quotas import Quotas


def test_limits_are_those_that_are_published() -> None:
    assert asdict(Quotas()) == {
        "message_bytes": 4 * 1024 * 1024,
        "string_chars": 1024 * 1024,
        "xml_depth": 32,
        "xml_attributes": 64,
        "xml_elements": 50_000,
        "xml_name_chars": 16_384,
        "xml_namespace_chars": 1_024,
        "json_depth": 32,
        "json_containers": 50_000,
        "json_values": 200_000,
        "json_integer_digits": 4_300,
    }
