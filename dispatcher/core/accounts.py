"""Accounts: as whom a task logs in to another computer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """A user of another computer, with a password, a private key (as OpenSSH writes it), or both."""

    user: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)  #: of the private key
    port: int | None = None  #: where it logs in; None: where it is usual

    def secrets(self) -> Iterator[str]:
        """Give what must not show; of a key each line, for output may break it elsewhere."""
        yield from filter(None, (self.password, self.passphrase, self.private_key))
        yield from (line for line in self.private_key.splitlines() if len(line) >= 16 and not line.startswith("-"))
