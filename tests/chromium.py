"""A tab of Chromium that is told what to do by its DevTools protocol, over a pipe: no port, no library.

The protocol is at https://chromedevtools.github.io/devtools-protocol/; messages are JSON with a NUL behind each.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: How long an answer is waited for.
PATIENCE_S = 30.0


class Tab:
    """A page in a browser. ``asked_for`` has the addresses of everything that it has loaded so far."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands, self._events = commands, events
        self._buffer, self._last = b"", 0
        self._session: dict[str, str] = {}
        self.asked_for: list[str] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        attached = self.do("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry *method* out, and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while (answer := self._next(deadline)).get("id") != self._last:
            if answer.get("method") == "Network.requestWillBeSent":
                self.asked_for.append(answer["params"]["request"]["url"])
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _next(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._events], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._events, 1 << 16)
            assert read, "the browser has ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def open(self, url: str) -> None:
        """Begin to load *url*."""
        self.do("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """Return what the expression *script* is on the page; a promise is waited for."""
        result = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Wait until the expression *script* is something on the page."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.run(f"!!({script})"):
            assert time.monotonic() < deadline, f"never: {script}"
            time.sleep(0.05)

    def click(self, selector: str, text: str = "") -> None:
        """Click the first element of *selector* that has *text* in it, once it is there."""
        said = json.dumps(text)
        self.wait_for(
            f"(found => found && (found.click(), true))([...document.querySelectorAll({json.dumps(selector)})]"
            f".find(one => one.textContent.includes({said})))"
        )

    def type(self, selector: str, text: str) -> None:
        """Put *text* in place of what is in the first element of *selector*, as if it were typed."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.wait_for(f"{found} && ({found}.focus(), {found}.select(), true)")
        self.do("Input.insertText", text=text)

    def keep_picture(self, file: Path) -> None:
        """Write a picture of the whole page to *file*, for people."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {**size, "scale": 1}
        picture = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        file.write_bytes(b64decode(picture))


@contextmanager
def a_tab(program: str, options: Sequence[str]) -> Iterator[Tab]:
    """Run *program* with *options* and give a tab of it; it ends with everything that it has started."""
    (their_commands, commands), (events, their_events) = os.pipe(), os.pipe()
    ends = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (their_commands, their_events)]
    quiet = [(os.POSIX_SPAWN_OPEN, one, os.devnull, os.O_RDWR, 0) for one in (0, 1, 2)]
    pipes = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends, 3)]
    arguments = [program, *options, "--remote-debugging-pipe"]
    pid = os.posix_spawn(program, arguments, os.environ, file_actions=[*quiet, *pipes], setpgroup=0)
    for one in (their_commands, their_events, *ends):
        os.close(one)
    try:
        yield Tab(commands, events)
    finally:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(commands)
        os.close(events)
