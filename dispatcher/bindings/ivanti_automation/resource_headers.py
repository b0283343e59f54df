"""Resource headers: what a request to the ResourceService says of a resource (contract section 7).

The names of the headers are choices: the vendor's page has lost them. Hyphens and underscores in names do not count.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from email.errors import MessageError
from email.header import decode_header, make_header
from urllib.parse import unquote_to_bytes
from uuid import UUID

from dispatcher.core.errors import BadRequest, InvalidValue
from dispatcher.core.file_names import is_file_name
from dispatcher.services.uploads import Upload
from dispatcher.wire.guids import NO_GUID, format_guid, parse_guid

_ID = ("ResourceID", "ResourceGUID", "GUID", "ID")
_FILE_NAME = ("Filename",)
_COMMENT = ("Description", "Comment", "Comments")
_FOLDER = ("FolderPath", "Folder")
_FOLDER_ID = ("FolderGUID",)
_PARSE = ("ParseVariables", "ParseFileContent")
_SKIP = ("SkipEnvironmentVariables",)
_OVERWRITE = ("Overwrite",)

#: What help pages say of them.
ID_HEADERS = {"ResourceID": "The GUID of the resource. Also: ResourceGUID, GUID, ID."}
UPLOAD_HEADERS = {
    "ResourceID": "The GUID of a resource to be changed; without it, a new one is made. Also: ResourceGUID, GUID, ID.",
    "Filename": "The name of the file whose content is the body; a path before it is dropped. Mandatory for a new one.",
    "Description": "A comment. Also: Comment, Comments.",
    "FolderPath": r"The folder, with \ between names; missing ones are made, and empty is the root. Also: Folder.",
    "FolderGUID": "The GUID of a folder that is there.",
    "ParseVariables": "true or false: kept with the resource. Also: ParseFileContent.",
    "SkipEnvironmentVariables": "true or false: kept with the resource.",
    "Overwrite": "true: a resource of the same name in the same folder gets the content and keeps its GUID.",
}

#: What they show as examples: a request each that can be sent as it stands.
EXAMPLES = {
    "DeleteResource.ResourceID": "{5CF59E5A-343C-4D85-A83C-8B18E47310AB}",
    "UploadResource.Filename": "hello.txt",
    "UploadResource.Description": "Greets the world",
    "UploadResource.FolderPath": r"Demo\Texts",
    "UploadResource.Request": "Hello, world!",
    "UploadResource.Response": "{5CF59E5A-343C-4D85-A83C-8B18E47310AB}",
}

_MOST_FOLDER_CHARS, _MOST_COMMENT_CHARS = 700, 10_000
_ENCODED_WORD = r"=\?[A-Za-z0-9_*-]+\?[BbQq]\?[^?]*\?="
#: Words side by side are one text. Nothing else is given to ``email``, which looks for the end of every word that was
#: only begun in all that follows.
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:[ \t]*{_ENCODED_WORD})*")
#: What Python calls charsets, too, but reads in quadratic time.
_NO_CHARSETS = ("idna", "punycode")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: Besides controls: halves of pairs, which no UTF-8 has, and what no datastore takes.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
#: What no folder has in its name.
_NO_FOLDER = re.compile(r'[:*?"<>|\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class ContentEncoded(BadRequest):
    """The content comes in an encoding, which would be stored instead of it."""

    code = "request.content_encoded"

    def __init__(self, encoding: str) -> None:
        super().__init__(f"Content-Encoding: {encoding[:100]!r} is not identity")


def to_upload(headers: Mapping[str, str]) -> Upload:
    """Return what the *headers* (names in lower case, values as Latin-1) of an upload ask for.

    :raises InvalidValue: if one of them cannot be understood.
    :raises ContentEncoded: if one says that the body is compressed.
    """
    encoding = headers.get("content-encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        raise ContentEncoded(encoding)
    texts = _Texts(headers)
    file_name = texts.find(_FILE_NAME)
    folder = texts.find(_FOLDER, is_empty_told=True)
    folder_id = texts.find_id(_FOLDER_ID)
    if folder_id == UUID(NO_GUID):
        folder, folder_id = "", None
    return Upload(
        resource_id=texts.find_resource(),
        file_name=None if file_name is None else _to_file_name(file_name),
        description=texts.find(_COMMENT, _MOST_COMMENT_CHARS, is_empty_told=True),
        folder=None if folder is None else _to_folder(folder),
        folder_id=folder_id,
        parse_variables=texts.find_flag(_PARSE),
        skip_environment_variables=texts.find_flag(_SKIP),
        overwrite=texts.find_flag(_OVERWRITE) or False,
    )


def to_resource_id(headers: Mapping[str, str]) -> UUID:
    """Return the resource that *headers* name.

    :raises InvalidValue: if they name none.
    """
    found = _Texts(headers).find_resource()
    if found is None:
        raise InvalidValue(_ID[0], "a GUID is missing")
    return found


class _Texts:
    """The headers by the folded name, and what they say."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._values = {_folded(name): value for name, value in headers.items()}

    def find(
        self, names: tuple[str, ...], most: int = _MOST_FOLDER_CHARS, *, is_empty_told: bool = False
    ) -> str | None:
        """Return the text of the first of *names* that says something, None if none does."""
        given = [self._values[_folded(name)] for name in names if _folded(name) in self._values]
        text = next((value for value in given if value.strip()), "" if given and is_empty_told else None)
        if text is None:
            return None
        text = decode(text).strip()
        if _CONTROL.search(text):
            raise InvalidValue(names[0], "has control characters")
        if len(text) > most:
            raise InvalidValue(names[0], f"is longer than {most} characters")
        return text

    def find_id(self, names: tuple[str, ...]) -> UUID | None:
        text = self.find(names)
        return None if text is None else parse_guid(text, names[0])

    def find_resource(self) -> UUID | None:
        found = {self.find_id((name,)) for name in _ID} - {None, UUID(NO_GUID)}
        if len(found) > 1:
            texts = sorted(format_guid(one) for one in found if one is not None)
            raise InvalidValue(_ID[0], f"several are given: {', '.join(texts)}")
        return next(iter(found), None)

    def find_flag(self, names: tuple[str, ...]) -> bool | None:
        text = self.find(names)
        if text is None:
            return None
        try:
            return _FLAGS[text.lower()]
        except KeyError:
            raise InvalidValue(names[0], f"{text[:100]!r} is neither true nor false") from None


def decode(text: str) -> str:
    """Return the *text* of a header that was read as Latin-1, in time proportional to its length.

    It may be UTF-8, percent-encoded, or have encoded words (RFC 2047). What cannot be decoded stays as it is.
    """
    try:
        text = _ENCODED_WORDS.sub(_from_words, text)
    except (LookupError, ValueError, MessageError):
        return text
    if "%" in text and not _PERCENT.search(text) and text.isascii():
        return _from_bytes(unquote_to_bytes(text))
    try:
        return _from_bytes(text.encode("latin-1"))
    except UnicodeEncodeError:
        return text


def _from_words(words: re.Match[str]) -> str:
    """Return what encoded *words* say.

    :raises LookupError, ValueError, MessageError: if they say nothing.
    """
    parts = decode_header(words[0])
    for _, charset in parts:
        if charset is not None and codecs.lookup(charset).name in _NO_CHARSETS:
            raise LookupError(charset)
    return str(make_header(parts))


def _from_bytes(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _to_file_name(text: str) -> str:
    """Return the name alone: whatever directory it was in at the client, it is in none here."""
    name = re.split(r"[/\\]", text)[-1].strip()
    if not is_file_name(name):
        raise InvalidValue(_FILE_NAME[0], f"{text[:100]!r} is no name of a file")
    return name


def _to_folder(text: str) -> str:
    names = [part.strip() for part in re.split(r"[/\\]", text) if part.strip()]
    if any(name in (".", "..") or _NO_FOLDER.search(name) for name in names):
        raise InvalidValue(_FOLDER[0], f"{text[:100]!r} is no folder")
    return "/".join(names)
