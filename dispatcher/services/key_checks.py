"""Key checks: whether a key is the one that the secrets in a datastore were sealed with."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict
from dispatcher.core.parameters import ParameterType
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import ProjectModule
from dispatcher.datastore.runbooks import RunBookStep
from dispatcher.datastore.settings import Setting
from dispatcher.services.secrets import Secrets

#: Kept with the settings, though nobody can set it: a known text, sealed with the key of the datastore.
_CHECK = ("secrets.key_check", "")
_TEXT = "Dispatcher"


class KeyDoesNotFit(Conflict):
    """What is stored was sealed with another key."""

    code = "secret.key_does_not_fit"

    def __init__(self) -> None:
        super().__init__(
            "the passwords in the datastore were sealed with another key: put its key file back. "
            "If that is lost, 'dispatcher library import --new-key' of files with all passwords begins with a new one"
        )


def is_noted(session: Session, secrets: Secrets) -> bool:
    """Whether the key is noted as the one of the datastore."""
    stored = session.get(Setting, _CHECK)
    return stored is not None and secrets.holds(stored.value, _TEXT)


def require(session: Session, secrets: Secrets) -> None:
    """Do nothing if the key is the one of the datastore; the first one that is asked for is noted as that.

    A datastore of an earlier version has no note: there the key must open a secret of the library, if there is any.
    To be called before anything is sealed, by one at a time.

    :raises KeyDoesNotFit: if it is another key.
    """
    if session.get(Setting, _CHECK) is None and _opens_one(session, secrets):
        note(session, secrets)
    if not is_noted(session, secrets):
        raise KeyDoesNotFit


def note(session: Session, secrets: Secrets) -> None:
    """Note the key as the one of the datastore, in place of any other."""
    session.merge(Setting(name=_CHECK[0], dispatcher=_CHECK[1], value=secrets.seal(_TEXT)))
    session.flush()


def _opens_one(session: Session, secrets: Secrets) -> bool:
    """Whether the key opens any secret of the library; also if there is none."""
    is_any = False
    for sealed in _sealed(session):
        if secrets.opens(sealed):
            return True
        is_any = True
    return not is_any


def _sealed(session: Session) -> Iterator[str]:
    """Give the secrets of the library."""
    for kind, column in (
        (ParameterType.PASSWORD, Parameter.value1),
        (ParameterType.CREDENTIALS, Parameter.value2),
    ):
        yield from session.scalars(select(column).where(Parameter.type == int(kind), column != ""))
    for texts in (ProjectModule.parameters, RunBookStep.parameters):
        for given in session.scalars(select(texts)):
            yield from (text["sealed"] for text in given.values() if not isinstance(text, str))
