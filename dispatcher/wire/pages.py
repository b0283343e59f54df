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
      body {{ margin: 0; background: #f4f6f8; color: #1d2733; font: 15px/1.5 "Segoe UI", Verdana, sans-serif }}
      #content {{ max-width: 72em; margin: 0 auto; padding: 0 1.5rem 3rem; overflow-wrap: anywhere }}
      .heading1 {{ margin: 0 -1.5rem 1.5rem; padding: 1rem 1.5rem; background: #17466e; color: #fff; font-size: 1.35em;
        box-shadow: 0 0 0 100vmax #17466e; clip-path: inset(0 -100vmax) }}
      a[href] {{ color: #0b5fa5 }}
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
    # Quotes as they are, as in WCF's page: PowerShell shows its text as the error, and takes out tags alone.
    shown = escape(without_forbidden(message), quote=False)
    detail = f"</p>\n      <p>The exception message is '{shown}'."
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
