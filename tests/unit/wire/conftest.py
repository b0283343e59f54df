"""Endpoints over the echo service."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from echo_service import NAMESPACE, OPERATIONS

from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.wire.http import Request
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.webhttp import WebHttpEndpoint


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    """What was logged of errors that nobody expected."""
    return []


@pytest.fixture
def parts(logged: list[dict[str, Any]]) -> dict[str, Any]:
    """What both endpoints are made with."""

    def context(request: Request) -> str:
        return request.caller.name

    return {
        "faults": STATUSES,
        "context": context,
        "site_zone": lambda: UTC,
        "log": lambda event, **details: logged.append({"event": event, **details}),
        "quotas": Quotas(),
    }


@pytest.fixture
def soap(parts: dict[str, Any]) -> SoapEndpoint:
    return SoapEndpoint(OPERATIONS, namespace=NAMESPACE, **parts)


@pytest.fixture
def rest(parts: dict[str, Any], soap: SoapEndpoint) -> WebHttpEndpoint:
    return WebHttpEndpoint(OPERATIONS, base_path=lambda _: "/Echo", soap=soap, **parts)
