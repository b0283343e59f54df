r"""Shells: turning a text with references into shell text that expands environment variables instead.

A value can never become syntax, because no value is ever in the text. What has to be got right is quoting, so that a
value is neither split into words nor taken for a file pattern: outside quotes ``$[Name]`` becomes
``"${PARAM_Name}"``, inside double quotes and here-documents ``${PARAM_Name}``. Comments are left alone. Refused, with
the line: references where the shell would not expand them (single quotes, quoted here-documents), where it would
evaluate the value (arithmetic, ``[[``) or where shells disagree about quotes (backquotes, ``${...}``). A backslash
before the sign, outside quotes, keeps the characters: ``\^[a-z]``; inside double quotes write ``"^""[a-z]"``.
What ``eval``, ``sh -c`` or ``let`` make of a value is up to whoever wrote the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dispatcher.core.errors import InvalidValue
from dispatcher.core.references import PATTERN, Reference, find, to_reference

_SPECIAL = {
    "code": re.compile(r"[\\'\"`$^@#()\n]|<<|(?<!\S)\[\[(?=\s)|(?<![\w.-])case(?![\w.-])"),
    "double": re.compile(r"[\\\"`$^@]"),
    "brace": re.compile(r"[\\'\"`$^@}]"),
    "here": re.compile(r"[\\`$^@]"),
}
_WORD_BREAK = frozenset(" \t\n;&|()")
_HEREDOC = re.compile(r"<<(-?)[ \t]*((?:\\.|'[^']*'|\"[^\"]*\"|[^\s;&|<>()'\"\\`$]+)+)")
_ANSI_QUOTE = re.compile(r"\$'((?:[^'\\]|\\.)*)'", re.DOTALL)
_SINGLE_QUOTED = re.compile("'[^']*'")
_BACKQUOTED = re.compile(r"`(?:[^`\\]|\\.)*`", re.DOTALL)
#: How deep substitutions and quotes may nest; it keeps the work linear.
MAX_DEPTH = 64
_PARENTHESIS = re.compile(r"[()'\"`\\]")


@dataclass(frozen=True, slots=True)
class ShellText:
    """A text ready for its shell, and what it refers to, in order."""

    text: str
    references: list[Reference]


@dataclass(slots=True)
class _Frame:
    """Something that is open: code (the text itself or ``$(``), double quotes, ``${`` or a here-document."""

    kind: str
    nested: bool = False  #: code: it ends with a parenthesis
    quoted: bool = False  #: brace: it stands in double quotes
    parentheses: int = 0
    end: int = 0  #: here: where its last line begins


@dataclass(slots=True)
class _Translation:
    source: str
    position: int = 0
    plain_from: int = 0  #: after the last escape: a ``#`` right there begins no comment
    parts: list[str] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=lambda: [_Frame("code")])
    waiting: list[tuple[bool, str, bool]] = field(default_factory=list)  #: here-documents: tabs, end, quoted
    references: list[Reference] = field(default_factory=list)

    def run(self) -> ShellText:
        source = self.source
        while True:
            frame = self.frames[-1]
            stop = next((one.end for one in self.frames if one.kind == "here"), len(source))
            match = _SPECIAL[frame.kind].search(source, self.position, stop)
            self._keep(match.start() if match else stop)
            if match is not None:
                self._special(frame, match[0])
            elif frame.kind == "here":
                self._end_heredoc()
            elif stop < len(source) or len(self.frames) > 1:
                raise self._refusal("a quote or parenthesis is never closed")
            else:
                return ShellText("".join(self.parts), self.references)

    def _special(self, frame: _Frame, found: str) -> None:
        if found == "\\":
            self._keep(self.position + 2)
            self.plain_from = self.position
        elif found in "$^@":
            self._sign(frame)
        elif found == '"':
            if frame.kind == "double":
                self.frames.pop()
            else:
                self._open(_Frame("double"))
            self._keep(self.position + 1)
        elif found == "`":
            self._skip(_BACKQUOTED, "inside backquotes: use $(...)")
        elif found == "'":
            if frame.quoted:
                raise self._refusal('shells disagree about a single quote inside "${...}"')
            self._skip(_SINGLE_QUOTED, "inside single quotes, where the shell does not expand it")
        elif found == "}":
            self.frames.pop()
            self._keep(self.position + 1)
        else:
            self._code(frame, found)

    def _sign(self, frame: _Frame) -> None:
        source, start = self.source, self.position
        if match := PATTERN.match(source, start):
            self._reference(frame, match)
        elif source.startswith("$((", start):
            self._arithmetic(start + 1)
        elif source.startswith("$(", start):
            self._open(_Frame("code", nested=True))
            self._keep(start + 2)
        elif source.startswith("${", start):
            self._open(_Frame("brace", quoted=frame.quoted or frame.kind in ("double", "here")))
            self._keep(start + 2)
        elif source.startswith("$'", start) and (frame.kind == "code" or (frame.kind == "brace" and not frame.quoted)):
            text = self._skip(_ANSI_QUOTE, "inside single quotes, where the shell does not expand it")
            if "\\'" in text[:-1].replace("\\\\", ""):
                raise self._refusal("shells disagree about \\' inside $'...'")
        else:  # "$$" is the shell's process id: its second sign begins no reference
            self._keep(start + (2 if source.startswith("$$", start) else 1))

    def _reference(self, frame: _Frame, match: re.Match[str]) -> None:
        if any(one.kind == "brace" for one in self.frames):
            raise self._refusal(f"{match[0]} inside ${{...}}")
        reference = to_reference(match)
        self.references.append(reference)
        expansion = f"${{{reference.variable}}}"
        self.parts.append(f'"{expansion}"' if frame.kind == "code" else expansion)
        self.position = match.end()

    def _code(self, frame: _Frame, found: str) -> None:
        start = self.position
        if found == "\n":
            self._keep(start + 1)
            self._begin_heredoc()
        elif found == "<<":
            self._heredoc_mark()
        elif found == "[[":
            raise self._refusal("[[ evaluates values: use [")
        elif found == "#":
            starts_word = start == 0 or (self.source[start - 1] in _WORD_BREAK and start != self.plain_from)
            end = self.source.find("\n", start)
            self._keep((end if end >= 0 else len(self.source)) if starts_word else start + 1)
        elif found == "case":
            if frame.nested:
                raise self._refusal("case inside $(...): its parentheses cannot be told apart, put it in a function")
            self._keep(start + len(found))
        elif found == "(" and self.source.startswith("((", start):
            self._arithmetic(start)
        else:
            self._parenthesis(frame, found)

    def _parenthesis(self, frame: _Frame, found: str) -> None:
        self._keep(self.position + 1)
        if found == "(":
            frame.parentheses += 1
        elif frame.parentheses:
            frame.parentheses -= 1
        elif frame.nested:
            if self.waiting:
                raise self._refusal("a here-document begins inside $(...) and not on a line of its own")
            self.frames.pop()

    def _arithmetic(self, opening: int) -> None:
        """Copy from the parenthesis at *opening* to the one that closes it."""
        depth, end = 0, opening
        while match := _PARENTHESIS.search(self.source, end):
            end = match.end()
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if match[0] not in "()":
                raise self._refusal("a quote inside ((...)): put a blank between the parentheses of subshells")
            if depth == 0:
                break
        else:
            raise self._refusal("a parenthesis is never closed")
        self._keep_without_references(end, "inside arithmetic, which would evaluate the value")

    def _heredoc_mark(self) -> None:
        if self.source.startswith("<<<", self.position):
            self._keep(self.position + 3)
            return
        match = _HEREDOC.match(self.source, self.position)
        if match is None or PATTERN.search(match[2]):
            raise self._refusal("the word after << is not plain")
        if any(one.kind == "here" for one in self.frames):
            raise self._refusal("a here-document inside a here-document")
        end = re.sub(r"\\(.)|['\"]", r"\1", match[2])
        self.waiting.append((match[1] == "-", end, end != match[2]))
        self._keep(match.end())

    def _begin_heredoc(self) -> None:
        """Open the next here-document that waits for its body, which begins at this line."""
        if not self.waiting:
            return
        tabs, word, quoted = self.waiting.pop(0)
        start, joined = self.position, False
        while start < len(self.source):
            end = self.source.find("\n", start)
            line = self.source[start : end if end >= 0 else len(self.source)]
            if (line.lstrip("\t") if tabs else line) == word and not joined:
                break
            # A backslash at the end of a line joins the next one to it, but for quoted here-documents.
            joined = not quoted and (len(line) - len(line.rstrip("\\"))) % 2 == 1
            start = end + 1 if end >= 0 else len(self.source)
        self.frames.append(_Frame("here", end=start))
        if quoted:
            self._keep_without_references(start, "inside a quoted here-document, where the shell does not expand it")

    def _end_heredoc(self) -> None:
        self.frames.pop()
        end = self.source.find("\n", self.position)
        self._keep(end + 1 if end >= 0 else len(self.source))
        self._begin_heredoc()

    def _open(self, frame: _Frame) -> None:
        if len(self.frames) == MAX_DEPTH:
            raise self._refusal(f"more than {MAX_DEPTH} quotes and substitutions inside each other")
        self.frames.append(frame)

    def _skip(self, pattern: re.Pattern[str], place: str) -> str:
        match = pattern.match(self.source, self.position)
        if match is None:
            raise self._refusal("a quote is never closed")
        self._keep_without_references(match.end(), place)
        return match[0]

    def _keep_without_references(self, end: int, place: str) -> None:
        if match := PATTERN.search(self.source, self.position, end):
            self.position = match.start()
            raise self._refusal(f"{match[0]} {place}")
        self._keep(end)

    def _keep(self, end: int) -> None:
        self.parts.append(self.source[self.position : end])
        self.position = min(end, len(self.source))

    def _refusal(self, problem: str) -> InvalidValue:
        return InvalidValue(f"line {self.source.count(chr(10), 0, self.position) + 1}", problem)


def posix_text(text: str) -> ShellText:
    """Return *text* for ``/bin/sh``. A text without references comes back as it is, whatever is in it.

    :raises InvalidValue: where a reference is refused (see the module); the error names the line.
    """
    return _Translation(text).run() if PATTERN.search(text) else ShellText(text, [])


def windows_text(text: str) -> ShellText:
    """Return *text* for ``cmd /v:on /c``, where ``!PARAM_Name!`` is expanded after the line has been parsed.

    (``%PARAM_Name%`` would be expanded before, so that a value could become syntax.) A text without references comes
    back as it is, for ``cmd /v:off``.

    :raises InvalidValue: if a text with references holds another exclamation mark: it would be taken for a variable.
    """
    references = find(text)
    if references and "!" in PATTERN.sub("", text):
        raise InvalidValue("command", "an exclamation mark next to references: cmd would take it for a variable")
    return ShellText(PATTERN.sub(lambda match: f"!{to_reference(match).variable}!", text), references)
