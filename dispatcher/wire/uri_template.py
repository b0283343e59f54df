"""URI templates as WCF has them: literals in any case, variables in path and query (contract section 1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

_VARIABLE = re.compile(r"\{([A-Z0-9_]+)\}")


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A template such as ``what/{WHATTYPE}s/{WHATID}/inputparameters?search={SEARCH}``, ready to match."""

    text: str
    path: re.Pattern[str]
    #: Lower-case name in the query to variable.
    query: Mapping[str, str]

    @property
    def slashes(self) -> int:
        """How many slashes every path has that matches: a variable has none."""
        return self.text.partition("?")[0].strip("/").count("/")

    @property
    def variables_in_path(self) -> int:
        """How many variables the path has: of two templates that match, the one with fewer is meant."""
        return self.path.groups

    def match(self, path: str, query: str) -> dict[str, str] | None:
        """Return the variables that *path* (decoded, below the service) and *query* (as sent) give; None for no match.

        Names that the template does not know are ignored; of equal names the last one counts.
        """
        found = self.path.fullmatch(path)
        if found is None:
            return None
        variables = found.groupdict()
        if query and self.query:
            for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None):
                variable = self.query.get(name.lower())
                if variable is not None:
                    variables[variable] = value
        return variables


def parse_template(text: str) -> UriTemplate:
    """Return the template that *text* says."""
    path, _, query = text.partition("?")
    pieces = _VARIABLE.split(path.strip("/"))
    # Literals stand at the even places, variables between them.
    pattern = "".join(f"(?P<{piece}>[^/]+?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return UriTemplate(
        text, re.compile(pattern, re.IGNORECASE), {name.lower(): value.strip("{}") for name, _, value in pairs}
    )
