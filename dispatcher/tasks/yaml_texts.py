"""YAML texts: whether what others sent is YAML at all, found out in linear time, and before anything is built of it."""

from __future__ import annotations

import re
from typing import Any

#: A line that says what a tag stands for. Parsers compare each with all before it, and repeat what it stands for at
#: every tag that is written with it: a short text keeps them busy for minutes.
_TAG_DIRECTIVE = re.compile("(?:^|[\n\r\x85\u2028\u2029])\ufeff?%TAG")


def has_tag_directive(text: str) -> bool:
    """Whether a line of *text* begins with ``%TAG``."""
    return _TAG_DIRECTIVE.search(text) is not None


def yaml_problem(text: str, most_depth: int) -> str:
    """Return why *text* is no YAML that is read here; "" if it is such, with parts *most_depth* deep at most."""
    import yaml

    if has_tag_directive(text):
        return "%TAG is not allowed"
    depth = 0
    anchors: set[str] = set()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > most_depth:  # parsers need longer for each part the deeper it lies
                return f"nested deeper than {most_depth}"
            if problem := _anchor_problem(event, anchors):
                return problem + _place(event.start_mark)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" in (error.problem or ""):  # libyaml 0.2.6 and later read ahead, 1,000 deep at most
            return f"nested deeper than {most_depth}"
        return " ".join(filter(None, (error.context, error.problem))) + _place(error.problem_mark or error.context_mark)
    except yaml.reader.ReaderError as error:
        return f"a character that YAML does not allow, at {error.position}"
    return ""


def _place(mark: Any) -> str:
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _anchor_problem(event: Any, anchors: set[str]) -> str:
    """Return why the event cannot be loaded after the *anchors* of its document, to which its own one is added."""
    import yaml

    if isinstance(event, yaml.DocumentStartEvent):
        anchors.clear()
    anchor = getattr(event, "anchor", None)
    if anchor is None:
        return ""
    is_alias, is_known = isinstance(event, yaml.AliasEvent), anchor in anchors
    anchors.add(anchor)
    if is_alias:
        return "" if is_known else "found undefined alias"
    return "found duplicate anchor" if is_known else ""
