"""Tokens: what clients get from the realms of Keycloak that stand before Exastro (contract section 3.1)."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from uuid import UUID

from dispatcher.bindings.exastro_ita import contract
from dispatcher.core.errors import DispatcherError, NotAuthenticated
from dispatcher.services.access_tokens import AccessTokens, FirstLoginPending, Lifetimes, Pair
from dispatcher.services.exastro_ita.workspaces import Workspaces
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

DIALECT = "exastro_ita"
TOKENS = "/auth/realms/<realm>/protocol/openid-connect/token"
#: The realm of the platform, and its client; those of an organisation are called after it.
PLATFORM, PLATFORM_CLIENT = "master", "_platform-api"


class Refused(DispatcherError):
    """A token is refused with one of Keycloak's answers: a status, an error of OAuth, and a description."""

    code = "token.refused"

    def __init__(self, status: int, error: str, description: str = "") -> None:
        super().__init__(description or error)
        self.status = status
        self.error = error
        self.description = description


class Tokens:
    """Gives out tokens."""

    TAG = "Tokens"

    def __init__(self, tokens: AccessTokens, workspaces: Workspaces, now: Callable[[], datetime]) -> None:
        self._tokens = tokens
        self._workspaces = workspaces
        self._now = now

    @operation(f"POST {TOKENS}", summary="Get tokens for a password, or for a refresh token", public=True)
    def get_tokens(self, request: Request, realm: str, form: contract.TokenForm) -> contract.TokenAnswer:
        """Return an access token, and a refresh token that stays good until its end."""
        self._check_client(realm, form.client_id)
        grant = self._renewed if form.grant_type == "refresh_token" else self._issued
        pair = grant(request, form, self._tokens.lifetimes(DIALECT))
        return self._to_wire_tokens(request, realm, form, pair)

    def _check_client(self, realm: str, client: str) -> None:
        known = [PLATFORM_CLIENT] if realm == PLATFORM else []
        if self._workspaces.is_organization(realm):  # one may be called as the platform's realm is
            known.append(f"_{realm}-api")
        if not known:
            raise Refused(HTTPStatus.NOT_FOUND, "Realm does not exist")
        if client not in known:
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_client", "Invalid client or Invalid client credentials")

    def _issued(self, request: Request, form: contract.TokenForm, lifetimes: Lifetimes) -> Pair:
        if form.username is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_request", "Missing parameter: username")
        password = form.password or ""
        try:
            return self._tokens.issue(
                DIALECT, form.username, password, lifetimes, request.address, asks_first_login=True
            )
        except FirstLoginPending:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_grant", "Account is not fully set up") from None
        except NotAuthenticated:
            raise Refused(HTTPStatus.UNAUTHORIZED, "invalid_grant", "Invalid user credentials") from None

    def _renewed(self, request: Request, form: contract.TokenForm, lifetimes: Lifetimes) -> Pair:
        if form.refresh_token is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_request", "No refresh token")
        try:
            return self._tokens.renew(DIALECT, form.refresh_token, lifetimes, request.address)
        except NotAuthenticated:
            raise Refused(HTTPStatus.BAD_REQUEST, "invalid_grant", "Invalid refresh token") from None

    def _to_wire_tokens(
        self, request: Request, realm: str, form: contract.TokenForm, pair: Pair
    ) -> contract.TokenAnswer:
        session = str(UUID(bytes=sha256((pair.refresh or "").encode()).digest()[:16], version=4))
        now = int(self._now().timestamp())
        claims = {
            "exp": now + pair.expires_in,
            "iat": now,
            "iss": f"{request.root}/auth/realms/{realm}",
            "aud": form.client_id,
            "sub": pair.login,
            "typ": "ID",
            "azp": form.client_id,
            "sid": session,
            "preferred_username": pair.login,
        }
        return contract.TokenAnswer(
            access_token=pair.access,
            expires_in=pair.expires_in,
            refresh_expires_in=pair.refresh_expires_in,
            refresh_token=pair.refresh or "",
            id_token=_signed(claims, pair.access),
            session_state=session,
            scope=form.scope,
        )


def _signed(claims: dict[str, object], key: str) -> str:
    """Return *claims* as a JWT that whoever has the access token can check; nobody is let in by it."""
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join([*parts, _base64(hmac.digest(key.encode(), ".".join(parts).encode(), "sha256"))])


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
