"""Pages: the XHTML by which a WCF REST service says that it will not answer (contract sections 8.3 and 8.4)."""

from __future__ import annotations

from html import escape

from dispatcher.wire.http import Response
from dispatcher.wire.xml_encoder import without_forbidden

_HTML = "text/html; charset=utf-8"
_PAGE = """\
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" \
"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
  <head>
    <title>{title}</title>
    <style>
      body {{ color: #000; background: #fff; font-family: Verdana, sans-serif; font-size: .75em; margin: 0 }}
      #content {{ margin: 0 0 0 30px; padding-right: 30px; padding-bottom: 2em }}
      .heading1 {{ color: #fff; background: #003366; font-size: 2em; margin: 0 0 10px -30px; padding: 10px 0 6px 15px }}
      a:link, a:visited {{ color: #336699; font-weight: bold }}
    </style>
  </head>
  <body>
    <div id="content">
      <p class="heading1">{title}</p>
      <p>{text}</p>
    </div>
  </body>
</html>
"""
_SEE_HELP = (
    'Please see the <a rel="help-page" href="{help_url}">service help page</a> '
    "for constructing valid requests to the service."
)


def request_error(status: int, message: str, help_url: str) -> Response:
    """Return the "Request Error" page, with *message* in it."""
    text = f"The server encountered an error processing the request. {_see(help_url)}"
    detail = f"</p>\n      <p>The exception message is '{_shown(message)}'."
    return _response(status, "Request Error", text + detail)


def endpoint_not_found(help_url: str) -> Response:
    """Return the page for an address at which there is nothing."""
    return _response(404, "Service", f"Endpoint not found. {_see(help_url)}")


def method_not_allowed(help_url: str, allowed: list[str]) -> Response:
    """Return the page for an address that is there, but not for this method."""
    response = _response(405, "Service", f"Method not allowed. {_see(help_url)}")
    response.headers.append(("Allow", ", ".join(allowed)))
    return response


def _see(help_url: str) -> str:
    return _SEE_HELP.format(help_url=_shown(help_url))


def _shown(text: str) -> str:
    return escape(without_forbidden(text))


def _response(status: int, title: str, text: str) -> Response:
    return Response(status, _PAGE.format(title=title, text=text).encode(), _HTML)
