"""Spyne's compatibility: Spyne works on every Python that is supported. Run on each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dispatcher.wire import spyne_compat

SCRIPT = """
import warnings
warnings.simplefilter("ignore")
import dispatcher.wire.types
from spyne.util import six
from spyne.util.six.moves import http_cookies, urllib
from spyne.util.six.moves.urllib.parse import quote
import http.cookies, urllib.parse
assert http_cookies is http.cookies
assert quote is urllib.parse.quote
from spyne import Application, Unicode, ServiceBase, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication
class Hello(ServiceBase):
    @rpc(Unicode, _returns=Unicode)
    def Greet(ctx, name): return "hello " + name
app = WsgiApplication(Application([Hello], "urn:x", in_protocol=Soap11(), out_protocol=Soap11()))
app.doc.wsdl11.build_interface_document("http://localhost/")
assert b'portType name="Application"' in app.doc.wsdl11.get_interface_document()
print("fine")
"""


def test_spyne_makes_a_wsdl_in_a_fresh_process() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.split() == ["fine"], done.stderr


def test_finder_is_installed_once() -> None:
    spyne_compat.install()
    spyne_compat.install()

    assert sum(isinstance(finder, spyne_compat.SixMoves) for finder in sys.meta_path) == 1


@pytest.mark.parametrize("name", ["json", "spyne.util.six", "spyne.util.six.moves.nothing", "spyne.util.six.movesx"])
def test_finder_minds_its_own_business(name: str) -> None:
    assert spyne_compat.SixMoves().find_spec(name) is None
