"""Download: brings a resource of the library, or a file from a URL, to a path: verified, and all of it or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import Source, TaskFailed, Tools, WorkType, place

if TYPE_CHECKING:
    import requests

#: How much is read at once, in bytes: as much is lost when a connection is cut.
_CHUNK = 1 << 14
_TIMEOUT_S = 60.0
#: How often a download from a URL that is cut off is resumed before the task fails.
_RESUMES = 10

PathText = Annotated[Text, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9A-Fa-f]{64}$"), AfterValidator(str.lower)]


class DownloadSettings(TaskSettings):
    """What a download task does: either ``resource``, or ``url`` with ``sha256``."""

    resource: PathText | None = None  #: the id, path or name of a resource
    url: PathText | None = None
    sha256: Sha256 | None = None  #: of a resource: it must have this content
    target: PathText  #: a path; of a directory that exists, the file gets its name there
    mode: Annotated[str, Field(pattern=r"^[0-7]{3,4}$")] | None = None  #: permissions in octal, such as "0755"
    verify: bool = True  #: of a URL: whether the certificate is checked
    ca_file: PathText | None = None
    max_bytes: Annotated[int, Field(ge=0)] = 4 << 30  #: of a URL: a longer answer fails the task

    @model_validator(mode="after")
    def _exactly_one(self) -> DownloadSettings:
        if (self.resource is None) == (self.url is None):
            raise ValueError("exactly one of resource and url")
        if self.url is not None and self.sha256 is None:
            raise ValueError("a url needs sha256: it says what has to come")
        return self


class Download(WorkType[DownloadSettings]):
    """Downloads a file."""

    name = "download"
    Settings = DownloadSettings

    def resources(self, settings: DownloadSettings) -> list[str]:
        """Return the resource."""
        return [] if settings.resource is None else [settings.resource]

    def summary(self, settings: DownloadSettings) -> str:
        """Return what goes where; references stay as they are."""
        return f"{settings.resource or settings.url} to {settings.target}"[:80]

    def do(self, settings: DownloadSettings, tools: Tools) -> str:
        """Download it.

        :raises TaskFailed: if it cannot be had, or is not what its hash says.
        :raises RefusedByPolicy: if the URL leads to an address that may not be called.
        :raises OSError: if it cannot be written.
        """
        if settings.resource is not None:
            resource = tools.fill(settings.resource)
            found = tools.contents.find(resource)
            name, sha256, source = found.file_name, found.sha256, None
            if settings.sha256 not in (None, sha256):
                raise TaskFailed(f"resource {resource} has another content: its SHA-256 is {sha256}")
        else:
            name, sha256, source = _from_url(settings, tools)
        target = tools.path(settings.target)
        if target.is_dir():
            # Only the last part: a name is never a way out of the directory.
            target /= Path(name.replace("\\", "/")).name
        with tools.contents.open(sha256, source) as stream:
            temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.new")
            try:
                with temporary.open("xb") as file:
                    shutil.copyfileobj(stream, file, _CHUNK)
                if settings.mode is not None:
                    temporary.chmod(int(settings.mode, 8))
                place(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
        tools.say(f"{sha256}  {target}")
        return ""


def _from_url(settings: DownloadSettings, tools: Tools) -> tuple[str, str, Source]:
    """Return a name for the file, its SHA-256, and where it comes from."""
    from urllib.parse import unquote, urlsplit

    from dispatcher.tasks.http_request import fill_url

    url = fill_url(settings.url or "", tools)
    name = Path(unquote(urlsplit(url).path)).name
    if tools.path(settings.target).is_dir() and name in ("", ".", ".."):
        raise InvalidValue("target", "a directory, and the URL names no file")
    return name, settings.sha256 or "", lambda offset: _fetch(url, settings, tools, offset)


def _fetch(url: str, settings: DownloadSettings, tools: Tools, offset: int) -> Iterator[bytes]:
    """Give the bytes behind *url* from *offset* on; where they are cut off, they are taken up again."""
    import requests

    from dispatcher.tasks import http_client

    ca_file = str(tools.path(settings.ca_file)) if settings.ca_file is not None else True
    resumed = 0
    with http_client.Session(tools.networks) as session:
        while True:
            headers = {"Accept-Encoding": "identity", "Range": f"bytes={offset}-"}
            try:
                with session.get(
                    url, headers=headers, timeout=_TIMEOUT_S, verify=settings.verify and ca_file, stream=True
                ) as response:
                    for data in _parts(response, offset):
                        offset += len(data)
                        if offset > settings.max_bytes:
                            raise TaskFailed(f"the answer is longer than {settings.max_bytes} bytes")
                        yield data
                    return
            except requests.RequestException as error:
                resumed += 1
                if resumed > _RESUMES:
                    raise TaskFailed(f"cut off: {http_client.problem(error)}") from None


def _parts(response: requests.Response, offset: int) -> Iterator[bytes]:
    """Give the bytes of *response* from *offset* on, also if its server knows no ranges."""
    if response.status_code == 416:
        return  # there is nothing from there on; the hash tells whether that is right
    if response.status_code not in (200, 206):
        raise TaskFailed(f"the answer is {response.status_code} {response.reason}".strip())
    skip = offset if response.status_code == 200 else 0
    for data in response.iter_content(_CHUNK):
        if len(data) > skip:
            yield data[skip:]
        skip = max(0, skip - len(data))


TYPE = Download()
