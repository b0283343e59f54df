"""The pages of the JSON APIs in a real browser: Swagger UI shows every operation, under the policy that they have."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from chromium import Tab
from real_server import Server, dispatcher

#: What the page shows of a job once all of it is unfolded.
UNFOLDED = (
    *("DiscoveryTargets", "RangeIpTargets", "StartIp", "VerifyWithPing", "Default3000"),
    *("Access Denied", "OrganizationalUnit"),
)


@pytest.mark.parametrize("dialect", ["exastro_ita", "ivanti_endpoint_security", "opsramp", "symantec_ccs"])
def test_the_page_of_a_dialect_shows_every_operation(server: Server, browse: Callable[..., Any], dialect: str) -> None:
    described = requests.get(f"{server.url}/openapi/{dialect}.json", timeout=30).json()
    expected = sorted(path for path, item in described["paths"].items() for _ in item)

    # Drawn by a script, when it gets to it.
    drawn = f"document.querySelectorAll('.opblock-summary-path').length >= {len(expected)}"
    page = browse(f"{server.url}/docs/{dialect}/", drawn)

    # Swagger UI puts a space of no width in front of each slash, so that lines can end there.
    shown = [path.replace("\u200b", "") for path in page.xpath("//*[@class='opblock-summary-path']/@data-path")]
    assert sorted(shown) == expected
    assert described["info"]["title"] in page.xpath("string(//h1 | //h2)")


def test_nested_messages_unfold_and_a_job_can_be_tried_out_with_a_login(
    start_server: Callable[..., Any], open_tab: Callable[[], AbstractContextManager[Tab]]
) -> None:
    server = start_server("--no-local-agent")
    dispatcher("login", "add", "ops", "--password-stdin", datastore=server.datastore, given="pw")

    with open_tab() as tab:
        tab.open(f"{server.url}/docs/ivanti_endpoint_security/#/Jobs/create_job")
        job, login, listed = (
            "#operations-" + name for name in ("Jobs-create_job", "Authentication-log_in", "Jobs-list_jobs")
        )
        text = f"{job} .opblock-section-request-body"
        tab.click(f"{text} .tablinks", "Schema")
        # Again and again: a button that was drawn a moment ago may not listen yet.
        expand = f"{text} .json-schema-2020-12-expand-deep-button"
        again = f"[...document.querySelectorAll('{expand}')].find(one => one.textContent.includes('Expand'))?.click()"
        for member in UNFOLDED:
            tab.wait_for(f"document.querySelector('{text}').innerText.includes('{member}') || void {again}")
        tab.click(f"{text} .tablinks", "Example Value")

        jwt = json.loads(tried_out(tab, login))["Jwt"]
        tab.click(".auth-wrapper button.authorize")
        tab.type(".modal-ux input", jwt)
        tab.click(".modal-ux button.authorize")
        tab.click(".modal-ux button.btn-done")
        refused = json.loads(tried_out(tab, job, is_open=True))
        found = json.loads(tried_out(tab, listed))

    # There is no agent here to do the job: the page has sent the example with the token.
    assert refused["error"]["details"][0]["target"] == "Agent"
    assert found["value"] == []
    asked_for = {urlsplit(address) for address in tab.asked_for}
    assert {one.netloc for one in asked_for if one.scheme != "data"} == {urlsplit(server.url).netloc}
    assert f"{server.url}/api/v2/Jobs" in tab.asked_for


def tried_out(tab: Tab, operation: str, *, is_open: bool = False) -> str:
    """Carry *operation* out as the page suggests it, and return what is answered."""
    if not is_open:
        tab.click(f"{operation} .opblock-summary-control")
    tab.click(f"{operation} .try-out__btn")
    tab.click(f"{operation} button.execute")
    answer = f"{operation} .live-responses-table .response-col_description code"
    tab.wait_for(f"document.querySelector('{answer}')")
    return str(tab.run(f"document.querySelector('{answer}').textContent"))
