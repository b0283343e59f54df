"""Signed tokens: access tokens that are JSON Web Tokens, for clients that look into them (RFC 7519, HS256).

Like all access tokens they are known by the hash of their whole text (docs/adr/0012): nobody decides by what they say,
so that none with another payload, algorithm or signature is anybody's.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from dispatcher.services.access_tokens import Claims
from dispatcher.services.secrets import Secrets

#: What signatures are made with, by the key file.
PURPOSE = "access tokens"


class SignedTokens:
    """Writes the access tokens of *dialect*, signed with a key that is derived from that of *secrets*."""

    def __init__(self, dialect: str, secrets: Secrets) -> None:
        self._dialect = dialect
        self._key = secrets.derive(f"{PURPOSE}: {dialect}")

    def write(self, claims: Claims) -> str:
        """Return the token that says *claims*; its ``jti`` has 256 random bits."""
        says = {
            "iss": self._dialect,
            "sub": claims.login,
            "iat": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
            "jti": claims.text,
        }
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(says)}"
        return f"{signed}.{_encoded(hmac.digest(self._key, signed.encode(), 'sha256'))}"


def _part(members: dict[str, Any]) -> str:
    return _encoded(json.dumps(members, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
