"""Uploads: bodies that are too large for memory, received into nameless files, and measured on their way.

Such a file is gone with whatever held it open: after an abort, a hang-up or a kill nothing is left of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from types import TracebackType

from dispatcher.core.contents import Content
from dispatcher.core.errors import Unavailable
from dispatcher.web.receiving import HungUp, Receive, Refused, Send, next_part, read_length, too_large
from dispatcher.web.sending import send_response
from dispatcher.web.threads import Threads
from dispatcher.wire.http import Admission, Request, Response

#: How much is written to the disk at once, in bytes.
PIECE_BYTES = 1 << 20
#: The slowest that a body may come at in the long run, in bytes a second.
LOWEST_RATE = 16 * 1024
#: How long a client that was answered early is listened to, so that it can read the answer; and how long in silence.
LINGER_S, LINGER_SILENCE_S = 30.0, 5.0
#: How many such clients are listened to at once; others may lose the answer with the connection.
MOST_LINGERING = 64


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How large uploads may be, how many there may be at once, and where they are kept meanwhile (None: anywhere)."""

    max_bytes: int = 2 << 30
    at_once: int = 8
    directory: Path | None = None


class AnsweredEarly(Exception):
    """The answer is there, but not all of the body: it goes out at once, and the connection ends with it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response
        response.headers.append(("Connection", "close"))


class UploadFile:
    """A nameless file that a body is written to. Used as a context, after which it is gone.

    :raises Unavailable: if there can be none.
    """

    def __init__(self, directory: Path | None) -> None:
        try:
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115 - closed by the context
        except OSError as error:
            raise _no_room() from error
        self._digest = hashlib.sha256()
        self._size = 0

    def __enter__(self) -> UploadFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Append *data*.

        :raises Unavailable: if the disk does not take it.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _no_room() from error
        self._digest.update(data)
        self._size += len(data)

    def content(self) -> Content:
        """Return what was written, from its beginning on."""
        self._file.seek(0)
        return Content(self._file, self._size, self._digest.digest())


class Uploads:
    """Takes uploads from the loop. *admit* and *respond* are called in threads; *refuse* is quick."""

    def __init__(
        self,
        limits: UploadLimits,
        deadline_s: float,
        *,
        admit: Callable[[Request, str], Admission | Response],
        respond: Callable[[Request, str], Response],
        refuse: Callable[[Request, int, str], Response],
    ) -> None:
        self.limits = limits
        self._deadline_s = deadline_s
        self._admit = admit
        self._respond = respond
        self._refuse = refuse
        self._places = BoundedSemaphore(limits.at_once)
        self._lingering = 0
        # Threads of their own: to store a large content takes long, and others need not wait for it.
        self._pool = ThreadPoolExecutor(limits.at_once, thread_name_prefix="upload")

    async def answer(self, request: Request, address: str, receive: Receive, admitting: Threads) -> Response:
        """Return the answer to *request* from *address*; *admitting* has the threads for what is quick.

        A client that waits to be asked for its body (``Expect: 100-continue``) is asked once it is welcome.

        :raises AnsweredEarly: if there is an answer before the end of the body.
        :raises HungUp: if the client goes away before.
        """
        loop = asyncio.get_running_loop()
        admitted = await admitting.run(self._admit, request, address)
        try:
            if isinstance(admitted, Response):
                if request.headers.get("expect", "").strip().lower() == "100-continue":
                    raise AnsweredEarly(admitted)
                await self._hear_out(request, receive, admitted)
                return admitted
            body = self._body(request, receive, admitted)
            first, is_whole = await self._begin(body, admitted.in_memory)
            if is_whole:
                request.body = first
                return await admitting.run(self._respond, request, address)
            if admitted.is_kept:
                return await self._store(request, address, first, body)
            await _throw_away(body)
            return await loop.run_in_executor(self._pool, self._respond, request, address)
        except Refused as refused:
            raise AnsweredEarly(self._refuse(request, refused.status, refused.message)) from None
        except Unavailable as error:
            raise AnsweredEarly(self._refuse(request, 503, error.message)) from None

    def close(self) -> None:
        """End without waiting for what is being stored: it has not been acknowledged."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def file(self) -> Iterator[UploadFile]:
        """Give a file for one upload. May be used by many threads.

        :raises Refused: 503 if there are too many.
        :raises Unavailable: if there can be none.
        """
        if not self._places.acquire(blocking=False):
            raise Refused(503, "too many uploads are under way")
        try:
            with UploadFile(self.limits.directory) as file:
                yield file
        finally:
            self._places.release()

    async def send_early(self, send: Send, receive: Receive, response: Response) -> None:
        """Send *response* while the body comes, and take more of that for a while: else many could not read it."""
        if self._lingering >= MOST_LINGERING:
            await send_response(send, response)
            return
        loop = asyncio.get_running_loop()
        self._lingering += 1
        try:
            await send_response(send, response, is_last=False)
            ends_at = loop.time() + LINGER_S
            with suppress(Refused, HungUp):
                while (await next_part(receive, min(LINGER_SILENCE_S, ends_at - loop.time()))).get("more_body"):
                    pass
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._lingering -= 1

    async def _begin(self, body: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
        """Return the first pieces of *body*, more than *most* bytes, or all of it and that this is all.

        Nothing is taken of it if *most* is 0.

        :raises Refused: 408 if that takes longer than any message may: as long as it may be a small one it is kept in
            memory, and what comes of it buys no time.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                return await _first(body, most)
        except TimeoutError:
            raise Refused(408, "the message was not received in time") from None

    async def _store(self, request: Request, address: str, first: bytes, body: AsyncIterator[bytes]) -> Response:
        loop = asyncio.get_running_loop()
        with self.file() as file:
            if first:
                await loop.run_in_executor(self._pool, file.write, first)
            async for piece in body:
                await loop.run_in_executor(self._pool, file.write, piece)
            request.content = file.content()
            return await loop.run_in_executor(self._pool, self._respond, request, address)

    async def _hear_out(self, request: Request, receive: Receive, answer: Response) -> None:
        """Take the body of a stranger, who may send all of it before it reads *answer*, and then comes again.

        :raises AnsweredEarly: with *answer* if that takes longer than any message may.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                await _throw_away(self._body(request, receive, Admission()))
        except TimeoutError:
            raise AnsweredEarly(answer) from None
        except Refused as refused:
            raise AnsweredEarly(answer) if refused.status == 408 else refused from None

    async def _body(self, request: Request, receive: Receive, admission: Admission) -> AsyncIterator[bytes]:
        """Give the body in pieces.

        :raises Refused: 400 or 413 by its declared length, 413 as soon as it is too long, 408 if it comes too slowly.
        """
        largest = self.limits.max_bytes
        if admission.max_bytes is not None and admission.max_bytes < largest:
            largest = admission.max_bytes
            refusal = Refused(413, admission.too_large)
        else:
            refusal = too_large(largest)
        try:
            read_length(request.headers.get("content-length", "0"), largest)
        except Refused as refused:
            raise refusal if refused.status == 413 else refused from None
        loop = asyncio.get_running_loop()
        parts: list[bytes] = []
        size = waiting = 0
        left_s, more = self._deadline_s, True
        while more:
            began = loop.time()
            message = await next_part(receive, left_s)
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            waiting += len(part)
            # What came fast buys no silence.
            left_s = min(self._deadline_s, left_s + len(part) / LOWEST_RATE - (loop.time() - began))
            if size > largest:
                raise refusal
            parts.append(part)
            if waiting >= PIECE_BYTES or not more:
                yield b"".join(parts)
                parts, waiting = [], 0


async def _first(body: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    if not most:
        return b"", False
    pieces: list[bytes] = []
    size = 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size > most:
            return b"".join(pieces), False
    return b"".join(pieces), True


async def _throw_away(body: AsyncIterator[bytes]) -> None:
    async for _ in body:
        pass


def _no_room() -> Unavailable:
    return Unavailable("there is no room for the upload")
