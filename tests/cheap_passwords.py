"""Passwords that are hashed at next to no cost: what tests are about is hardly ever how dear a guess is."""

from __future__ import annotations

from argon2 import PasswordHasher

from dispatcher.services.passwords import Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def cheap_passwords() -> Passwords:
    return Passwords(CHEAP)
