# Spyne makes static methods of operations, which are named as on the wire.
# ruff: noqa: N802, N803, N805
import json
import re
from html import unescape
from typing import Any

import pytest
from lxml import etree

from dispatcher.wire.help import HelpPages
from dispatcher.wire.operations import Route, operation, operations_of
from dispatcher.wire.samples import Samples
from dispatcher.wire.types import DataContract, Moment, Text, array_of
from dispatcher.wire.wsdl import WsdlDocuments, WsdlNames

from spyne import ServiceBase  # isort: skip

BASE = "http://example.test:8080/Shop/"


class Order(DataContract):
    Due = Moment
    Name = Text


class Basket(DataContract):
    Names = array_of(Text)


class ShopService(ServiceBase):
    @operation(Route("POST", "baskets", {}, "basket"), Basket, returns=Text)
    def FillBasket(ctx: Any, basket: Any) -> Any: ...

    @operation(
        Route("POST", "pictures", {}, is_stream=True, headers={"Title": "What it shows.", "Artist": "Whose it is."}),
        returns=Text,
    )
    def HangPicture(ctx: Any) -> Any: ...

    @operation(Route("POST", "orders", {}, "order", "Takes <an> order."), Order, returns=Order)
    def TakeOrder(ctx: Any, order: Any) -> Any: ...

    @operation(Route("GET", "orders?page={PAGE}", {"PAGE": "page"}), Text, returns=array_of(Order))
    def ListOrders(ctx: Any, page: Any) -> Any: ...

    @operation(Route("GET", "articles/{ID}", {"ID": "articleId"}), Text)
    def TouchArticle(ctx: Any, articleId: Any) -> Any: ...


@pytest.fixture(scope="module")
def pages() -> HelpPages:
    documents = WsdlDocuments(ShopService, WsdlNames("ShopService", "IShopService"))
    shown = {"HangPicture.Title": "<Sunrise>", "HangPicture.Request": "\u263c", "HangPicture.Response": "room 1"}
    samples = Samples({"Name": "a <b> & c", **shown})
    return HelpPages(operations_of(ShopService), samples, documents.schemas, {"Size of a message": "4 MiB"})


def body_of(page: str, kind: str) -> str:
    (found,) = re.findall(rf'<pre class="{kind}">(.*?)</pre>', page, re.DOTALL)
    return unescape(found)


def test_index_has_the_sentence_and_the_titles_of_wcf(pages: HelpPages) -> None:
    page = pages.index(BASE)

    assert "<p>This page describes the service operations at this endpoint.</p>" in page
    assert f"<title>Operations at {BASE}</title>" in page
    assert f'<p class="heading1">Operations at {BASE}</p>' in page
    assert "<tr><th>Uri</th><th>Method</th><th>Description</th></tr>" in page
    assert page.startswith('<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"')


@pytest.mark.parametrize("name", [None, "TakeOrder"])
def test_no_page_is_well_formed_xml_or_powershell_would_parse_it(pages: HelpPages, name: str | None) -> None:
    page = pages.index(BASE) if name is None else pages.operation(name, BASE)

    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(page or "")


def test_index_is_sorted_by_path_and_equal_paths_share_a_cell(pages: HelpPages) -> None:
    page = pages.index(BASE)

    assert re.findall(r'href="help/operations/(\w+)">(\w+)<', page) == [
        ("TouchArticle", "GET"),
        ("FillBasket", "POST"),
        ("ListOrders", "GET"),
        ("TakeOrder", "POST"),
        ("HangPicture", "POST"),
    ]
    assert '<td rowspan="2">orders</td>' in page
    assert f'<td title="{BASE}orders?page={{PAGE}}">' in page


def test_description_is_escaped_and_a_missing_one_is_wcfs(pages: HelpPages) -> None:
    page = pages.index(BASE)

    assert "<td>Takes &lt;an&gt; order.</td>" in page
    assert f"<td>Service at {BASE}articles/{{ID}}</td>" in page


def test_limits_are_published(pages: HelpPages) -> None:
    assert "<tr><td>Size of a message</td><td>4 MiB</td></tr>" in pages.index(BASE)


def test_address_is_that_of_the_request_and_escaped(pages: HelpPages) -> None:
    page = pages.index('http://"><script>/')

    assert "<script>" not in page


def test_operation_page_shows_uri_and_method(pages: HelpPages) -> None:
    page = pages.operation("ListOrders", BASE) or ""

    assert f'<p class="heading1">Reference for {BASE}orders?page={{PAGE}}</p>' in page
    assert f'<span class="uri-template">{BASE}orders?page={{PAGE}}</span>' in page
    assert '<span class="method">GET</span>' in page
    assert "<td>The Request body is empty.</td>" in page
    assert body_of(page, "response-xml").startswith("<ArrayOfOrder ")


def test_operation_without_any_body_says_so_twice(pages: HelpPages) -> None:
    page = pages.operation("TouchArticle", BASE) or ""

    assert "The Request body is empty." in page
    assert "The Response body is empty." in page
    assert "<pre" not in page


def test_operation_is_found_in_any_case_and_unknown_ones_are_not(pages: HelpPages) -> None:
    assert pages.operation("takeorder", BASE) == pages.operation("TakeOrder", BASE)
    assert pages.operation("DropOrder", BASE) is None


def test_examples_are_what_the_codecs_write_and_fit_the_schema(pages: HelpPages) -> None:
    page = pages.operation("TakeOrder", BASE) or ""

    assert json.loads(body_of(page, "request-json")) == {"Due": "/Date(928149600000+0000)/", "Name": "a <b> & c"}
    assert r"\/Date(928149600000+0000)\/" in body_of(page, "request-json")
    schema = etree.XMLSchema(etree.fromstring(body_of(page, "request-schema")))
    schema.assertValid(etree.fromstring(body_of(page, "request-xml")))


def test_schemas_of_other_namespaces_come_after_the_one_that_needs_them(pages: HelpPages) -> None:
    page = pages.operation("FillBasket", BASE) or ""

    schemas = [unescape(one) for one in re.findall(r'<pre class="request-schema">(.*?)</pre>', page, re.DOTALL)]
    namespaces = [etree.fromstring(one).get("targetNamespace") for one in schemas]
    assert namespaces == [Basket.get_namespace(), array_of(Text).get_namespace()]
    assert f'<xs:import namespace="{namespaces[1]}"/>' in schemas[0]


def test_request_by_headers_is_shown_as_it_is_sent(pages: HelpPages) -> None:
    page = pages.operation("HangPicture", BASE) or ""

    assert body_of(page, "request-head").split("\n") == [
        "POST /Shop/pictures HTTP/1.1",
        "Host: example.test:8080",
        "Title: <Sunrise>",
        "Content-Length: 3",
        "",
        "\u263c",
    ]
    assert body_of(page, "response-json") == '"room 1"'
