"""Signed tokens are JSON Web Tokens that their key proves right, and only those that were given out are good."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cheap_passwords import cheap_passwords
from sqlalchemy import select

from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens, Lifetimes
from dispatcher.services.logins import Logins
from dispatcher.services.secrets import Secrets
from dispatcher.services.security import Security
from dispatcher.services.settings import Settings
from dispatcher.services.signed_tokens import PURPOSE, SignedTokens
from dispatcher.services.tokens import hashed

DIALECT = "ivanti_endpoint_security"
SECRETS = Secrets(b"k" * 32)
KEY = SECRETS.derive(f"{PURPOSE}: {DIALECT}")
SIGNED = SignedTokens(DIALECT, SECRETS)
QUARTER = Lifetimes(timedelta(minutes=15))
HERE = "10.0.0.1"


@pytest.fixture
def tokens(datastore: Datastore, ports: Ports) -> AccessTokens:
    security = Security(datastore, ports, cheap_passwords())
    return AccessTokens(datastore, ports, security, Settings(datastore, ports))


@pytest.fixture
def logins(datastore: Datastore, ports: Ports) -> Logins:
    logins = Logins(datastore, ports, cheap_passwords())
    logins.add("admin", "pw", SYSTEM)
    logins.add("Ann", "pw", SYSTEM)
    return logins


def issue(tokens: AccessTokens, name: str = "ann", dialect: str = DIALECT) -> str:
    return tokens.issue(dialect, name, "pw", QUARTER, HERE, write=SIGNED.write).access


def claims_of(token: str, **options: Any) -> dict[str, Any]:
    """Return what *token* says, as a library that has nothing to do with its writer reads it."""
    # The clock of the tests is not that of the library.
    checks = {"require": ["iss", "sub", "iat", "exp", "jti"], "verify_exp": False, "verify_iat": False}
    found: dict[str, Any] = jwt.decode(token, KEY, algorithms=["HS256"], issuer=DIALECT, options=checks, **options)
    return found


def refuses(tokens: AccessTokens, token: str, dialect: str = DIALECT) -> bool:
    with pytest.raises(NotAuthenticated):
        tokens.authenticate(dialect, token, HERE)
    return True


def part(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def test_it_says_whose_it_is_and_how_long_it_is_good(logins: Logins, tokens: AccessTokens, clock: Any) -> None:
    now = int(clock.moment.timestamp())
    token = issue(tokens)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    said = claims_of(token)
    assert (said["iss"], said["sub"], said["iat"], said["exp"]) == (DIALECT, "Ann", now, now + 900)
    assert len(base64.urlsafe_b64decode(said["jti"] + "=")) == 32
    assert tokens.authenticate(DIALECT, token, HERE).name == "Ann"


def test_no_two_are_alike(logins: Logins, tokens: AccessTokens) -> None:
    assert claims_of(issue(tokens))["jti"] != claims_of(issue(tokens))["jti"]


def test_only_its_hash_is_stored(logins: Logins, tokens: AccessTokens, datastore: Datastore) -> None:
    token = issue(tokens)
    with datastore.read() as session:
        rows = session.scalars(select(AccessToken)).all()
    assert [row.hash for row in rows] == [hashed(token)]


def test_its_key_is_that_of_one_key_file_and_one_dialect(logins: Logins, tokens: AccessTokens) -> None:
    keys = {KEY, SECRETS.derive(f"{PURPOSE}: other"), Secrets(b"j" * 32).derive(f"{PURPOSE}: {DIALECT}"), b"k" * 32}
    assert len(keys) == 4
    token = issue(tokens)
    for key in keys - {KEY}:
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.decode(token, key, algorithms=["HS256"])


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "HS256", "HS512", "RS256"])
@pytest.mark.parametrize("keeps_signature", [True, False])
def test_another_algorithm_is_nobody_s(
    logins: Logins, tokens: AccessTokens, algorithm: str, keeps_signature: bool
) -> None:
    token = issue(tokens)
    _, payload, signature = token.split(".")
    forged = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{payload}.{signature if keeps_signature else ''}"
    assert refuses(tokens, forged)
    assert refuses(tokens, forged.rstrip("."))
    assert tokens.authenticate(DIALECT, token, HERE).name == "Ann"


def test_another_payload_is_nobody_s(logins: Logins, tokens: AccessTokens) -> None:
    header, payload, signature = issue(tokens).split(".")
    said = json.loads(base64.urlsafe_b64decode(payload + "=="))
    for change in ({"sub": "admin"}, {"exp": said["exp"] + 1}, {"iss": "other"}, {}):
        forged = part({**said, **change})
        assert refuses(tokens, f"{header}.{forged}.{signature}") or forged == payload


@pytest.mark.parametrize("key", [KEY, b"k" * 32, b"x" * 32], ids=["the right key", "the key file's", "another"])
def test_what_was_signed_but_not_given_out_is_nobody_s(logins: Logins, tokens: AccessTokens, key: bytes) -> None:
    said = claims_of(issue(tokens))
    assert refuses(tokens, jwt.encode({**said, "sub": "admin"}, key, algorithm="HS256"))
    assert refuses(tokens, jwt.encode({**said, "jti": "x"}, key, algorithm="HS256"))


def test_the_same_in_other_letters_is_nobody_s(logins: Logins, tokens: AccessTokens) -> None:
    token = issue(tokens)
    for other in (token + "=", token + ".", "." + token, token[:-1], token.upper(), token + "A", ".", ".."):
        assert refuses(tokens, other)


def test_it_expires(logins: Logins, tokens: AccessTokens, clock: Any) -> None:
    token = issue(tokens)
    clock.turn(QUARTER.access - timedelta(seconds=1))
    assert tokens.authenticate(DIALECT, token, HERE).name == "Ann"
    clock.turn(timedelta(seconds=1))
    assert refuses(tokens, token)


def test_it_is_good_for_its_dialect_only(logins: Logins, tokens: AccessTokens) -> None:
    assert refuses(tokens, issue(tokens), "symantec_ccs")
    assert refuses(tokens, issue(tokens, dialect="symantec_ccs"))


def test_it_ends_with_its_login(logins: Logins, tokens: AccessTokens) -> None:
    token, other = issue(tokens), issue(tokens, "admin")
    tokens.authenticate(DIALECT, token, HERE)
    logins.disable("ann", SYSTEM)
    assert refuses(tokens, token)
    assert tokens.authenticate(DIALECT, other, HERE).name == "admin"


def test_without_any_login_it_names_nobody(tokens: AccessTokens) -> None:
    token = issue(tokens)
    assert claims_of(token)["sub"] == ""
    assert tokens.authenticate(DIALECT, token, HERE).name == ""


def test_it_is_good_for_a_quarter_of_an_hour_unless_the_setting_says_otherwise(
    tokens: AccessTokens, datastore: Datastore, ports: Ports
) -> None:
    assert tokens.lifetimes(DIALECT) == QUARTER
    Settings(datastore, ports).set(f"{DIALECT}.access_token_minutes", "5", SYSTEM)
    assert tokens.lifetimes(DIALECT) == Lifetimes(timedelta(minutes=5))
