"""Passwords: Argon2id hashes, and checks that take equally long whether there is a hash or not."""

from __future__ import annotations

from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError


class Passwords:
    """Hashes and checks passwords. One call takes 20 ms and 19 MiB with the default parameters."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    def hash(self, password: str) -> str:
        """Return the salted hash of *password*, as it may be stored."""
        return self._hasher.hash(_bytes(password))

    def check(self, stored: str | None, password: str) -> bool:
        """Return whether *password* is the one that was hashed to *stored*.

        Without a stored hash the answer is no, and takes as long as any other.
        """
        dummy = self._dummy
        try:
            self._hasher.verify(dummy if stored is None else stored, _bytes(password))
        except VerifyMismatchError:
            return False
        return stored is not None

    @cached_property
    def _dummy(self) -> str:
        return self._hasher.hash(b"")


def _bytes(password: str) -> bytes:
    # A lone surrogate is a wrong password, not an error.
    return password.encode("utf-8", "surrogatepass")
