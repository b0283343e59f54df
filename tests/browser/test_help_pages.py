"""Help pages in a real browser: they render, and every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urljoin

import requests
from real_server import Server


def text_of(document: Any, path: str) -> str:
    return re.sub(r"\s+", " ", document.xpath(f"string({path})")).strip()


def test_help_pages_render_and_their_links_lead_somewhere(server: Server, browse: Callable[[str], Any]) -> None:
    help_url = f"{server.service}/help"

    index = browse(help_url)
    links = {urljoin(help_url, unescape(link)) for link in index.xpath("//a/@href")}
    operation = browse(f"{help_url}/operations/ScheduleJob")

    assert text_of(index, "//title") == text_of(index, "//*[@class='heading1']") == f"Operations at {server.service}/"
    assert "This page describes the service operations at this endpoint." in text_of(index, "//*[@id='content']")
    assert len(index.xpath("//table//a[@rel='operation']")) == 23
    assert text_of(operation, "//title") == f"Reference for {server.service}/jobs"
    for form in ("request-xml", "request-json", "response-xml", "response-json"):
        assert "JobID" in text_of(operation, f"//pre[@class='{form}']")
    assert len(links) >= 11
    for link in links:
        assert link.startswith(server.url)
        assert requests.get(link, timeout=30).status_code == 200
    anchors = {link[1:] for link in operation.xpath("//a/@href") if link.startswith("#")}
    assert anchors
    assert anchors <= {*operation.xpath("//a/@name"), *operation.xpath("//@id")}


def test_help_pages_of_the_resource_service_tell_its_headers(server: Server, browse: Callable[[str], Any]) -> None:
    help_url = f"{server.url}/Dispatcher/ResourceService/help"
    assert len(browse(help_url).xpath("//table//a[@rel='operation']")) == 2
    operation = browse(f"{help_url}/operations/UploadResource")
    assert "The Request body is a byte stream." in text_of(operation, "//body")
    assert "Filename" in text_of(operation, "//body")


def test_first_page_leads_to_the_help_page(server: Server, browse: Callable[[str], Any]) -> None:
    (link, *_) = browse(server.url).xpath("//a/@href")

    assert requests.get(urljoin(server.url, link), timeout=30).status_code == 200


def test_page_of_an_error_leads_to_the_help_page(server: Server, browse: Callable[[str], Any]) -> None:
    page = browse(f"{server.service}/nothing")

    assert "Endpoint not found." in text_of(page, "//body")
    (link,) = page.xpath("//a[@rel='help-page']/@href")
    assert requests.get(link, timeout=30).status_code == 200
