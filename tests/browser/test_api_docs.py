"""The pages of the JSON APIs in a real browser: Swagger UI shows every operation, under the policy that they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

#: The page is drawn by a script: let as much of its time pass as it needs, at once.
DRAWN = "--virtual-time-budget=20000"


@pytest.mark.parametrize("dialect", ["exastro_ita", "opsramp", "symantec_ccs"])
def test_the_page_of_a_dialect_shows_every_operation(
    start_server: Callable[..., Any], browse: Callable[..., Any], dialect: str
) -> None:
    server = start_server("--no-local-agent")
    described = requests.get(f"{server.url}/openapi/{dialect}.json", timeout=30).json()

    page = browse(f"{server.url}/docs/{dialect}/", DRAWN)

    # Swagger UI puts a space of no width in front of each slash, so that lines can end there.
    shown = [path.replace("\u200b", "") for path in page.xpath("//*[@class='opblock-summary-path']/@data-path")]
    assert sorted(shown) == sorted(path for path, item in described["paths"].items() for _ in item)
    assert described["info"]["title"] in page.xpath("string(//h1 | //h2)")
