"""Exit codes: how a command ended, for scripts."""

from __future__ import annotations

from dispatcher.core.errors import BadRequest, DispatcherError, Unavailable

DONE = 0
JOB_FAILED = 1
USAGE = 2
UNREACHABLE = 3
REFUSED = 4
#: As shells report a program that Ctrl-C ended.
INTERRUPTED = 130


class Failed(Exception):
    """Ends the command with a message on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def exit_code_of(error: DispatcherError) -> int:
    """Return the exit code for an error that the rules or services raised."""
    if isinstance(error, BadRequest):
        return USAGE
    return UNREACHABLE if isinstance(error, Unavailable) else REFUSED
