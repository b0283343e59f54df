"""Library sources: YAML files read so that the line of every value is known.

Unquoted values stay the text that is written (``no``, ``007``, ``1.10``): what they mean is decided by the member they
are given to. Anchors, aliases, tags and repeated keys are refused: nothing in a library file stands for something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from dispatcher.services.library.problems import Problems
from dispatcher.tasks.yaml_texts import has_tag_directive

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 500_000
MAX_DEPTH = 30

Path = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"
# What no database or process argument can hold.
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")


@dataclass(slots=True)
class Source:
    """A file that was read: plain dicts, lists, texts and None, and the line of each path."""

    file: str
    problems: Problems
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)

    def add(self, path: Path, text: str) -> None:
        """Note a problem at *path*, or at the nearest place above it that is in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        self.problems.add(self.file, self.lines.get(known, 1), show(path), text)


def show(path: Path) -> str:
    """Return *path* as people write it: ``modules[2].tasks[0].settings.command``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def read(file: str, content: bytes, problems: Problems) -> Source | None:
    """Return what *content*, called *file*, says; None if it is no YAML that can be used (*problems* say why)."""
    source = Source(file, problems)
    if len(content) > MAX_BYTES:
        problems.add(file, 0, "", f"larger than {MAX_BYTES} bytes")
        return None
    try:
        text = content.decode("utf-8-sig")
        if not _check_events(source, text):
            return None
        root = yaml.compose(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        problems.add(file, content.count(b"\n", 0, error.start) + 1, "", "not UTF-8")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(file, mark.line + 1 if mark else 0, "", " ".join(filter(None, (error.context, error.problem))))
        return None
    except yaml.reader.ReaderError as error:
        problems.add(file, text.count("\n", 0, error.position) + 1, "", "a character that YAML does not allow")
        return None
    if root is None:
        return source
    if not isinstance(root, yaml.MappingNode):
        problems.add(file, root.start_mark.line + 1, "", "a library file holds sections, such as modules:")
        return None
    source.data = _plain(source, root, ())
    return source


def _check_events(source: Source, text: str) -> bool:
    """Look for what must not be there before anything is built from *text*; return whether it may be."""
    if has_tag_directive(text):
        source.problems.add(source.file, 0, "", "%TAG is not allowed")
        return False
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        problem = _event_problem(event)
        if depth > MAX_DEPTH:
            problem = f"nested deeper than {MAX_DEPTH}"
        elif nodes > MAX_NODES:
            problem = f"more than {MAX_NODES} values"
        elif documents > 1:
            problem = "a library file is one YAML document"
        if problem:
            line = event.start_mark.line + 1 if event.start_mark else 0
            source.problems.add(source.file, line, "", problem)
            return False
    return True


def _event_problem(event: yaml.Event) -> str:
    if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor):
        return "anchors and aliases are not allowed"
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag not in (None, "!"):
        return f"tags such as {event.tag} are not allowed"
    return ""


def _plain(source: Source, node: yaml.Node, path: Path) -> Any:
    source.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return {key: _plain(source, value, (*path, key)) for key, value in _members(source, node, path)}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(source, item, (*path, place)) for place, item in enumerate(node.value)]
    if _FORBIDDEN.search(node.value):
        source.add(path, "a character that cannot be stored")
    return None if node.tag == _NULL else node.value


def _members(source: Source, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or _FORBIDDEN.search(key.value):
            source.problems.add(source.file, line, show(path), "a key must be text")
        elif key.value in seen:
            source.problems.add(source.file, line, show((*path, key.value)), "is given twice")
        else:
            seen.add(key.value)
            source.lines[(*path, key.value)] = line
            yield key.value, value
