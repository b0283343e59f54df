"""Attributes: the query strings of searches, such as ``(Attributes=JobName Contains x, JobType = y)&page=0``.

Terms are joined by commas. A comma in a value begins a term only if an attribute and an operator follow it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from dispatcher.core.errors import InvalidValue
from dispatcher.services.symantec_ccs.terms import Operator, Term

#: How many pairs a query may have, and how many terms.
MAX_PAIRS = 100
MAX_TERMS = 50
# Possessive, so that no input makes it look at a character twice.
_TERM = re.compile(r"\s*+([\w.:-]++)\s*+(=|(?<=\s)(?:contains|startswith)(?=\s|$))\s*+", re.IGNORECASE)
_OPERATORS = {one.value.lower(): one for one in Operator}


def read_words(query: str) -> dict[str, str]:
    """Return the words of the raw *query* by their names in lower case.

    The pages of the vendor write ``(Attributes=...)`` with the name in the parentheses, and ``/jobname``. The
    parentheses may be around the whole query as well.

    :raises InvalidValue: if there are too many, or one is there twice: a filter in front may have looked at the other.
    """
    if query.count("&") >= MAX_PAIRS:
        raise InvalidValue("query", f"has more than {MAX_PAIRS} words")
    words: dict[str, str] = {}
    name, is_open = "", False
    for pair in query.split("&"):
        name, _, value = (unquote_plus(part).strip() for part in pair.partition("="))
        if name.startswith("("):
            name = name[1:]
            is_open = value.count("(") >= value.count(")")
            value = value if is_open else value.removesuffix(")")
        name = name.strip(" /").lower()
        if name and name in words:
            raise InvalidValue(name[:50], "is there twice")
        words[name] = value
    if is_open:  # the parentheses are around all of it
        words[name] = words[name].removesuffix(")")
    return words


def to_terms(text: str) -> tuple[Term, ...]:
    """Return the terms in *text*, in a time linear in its length; none if it is empty.

    :raises InvalidValue: if it does not begin with a term, or has too many.
    """
    text = text.strip()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if not text:
        return ()
    parts: list[tuple[str, Operator, list[str]]] = []
    for piece in text.split(","):
        match = _TERM.match(piece)
        if match is not None:
            parts.append((match[1].lower(), _OPERATORS[match[2].lower()], [piece[match.end() :]]))
        elif parts:
            parts[-1][2].append(piece)
        else:
            raise InvalidValue("Attributes", f"{piece.strip()[:50]!r} is no attribute with an operator and a value")
    if len(parts) > MAX_TERMS:
        raise InvalidValue("Attributes", f"has more than {MAX_TERMS} terms")
    return tuple(Term(name, operator, ",".join(pieces).strip()) for name, operator, pieces in parts)
