"""Health: whether the server can do its work now."""

from __future__ import annotations

import orjson
import structlog
from sqlalchemy.exc import SQLAlchemyError

from dispatcher.core.errors import Unavailable
from dispatcher.services.hall import Hall
from dispatcher.wire.http import Response

log = structlog.get_logger(__name__)


class Health:
    """Answers ``/health/ready``."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def ready(self) -> Response:
        """Return 200 if the datastore answers and new jobs are taken, else 503; the body says more in JSON.

        It only reads: a write would cost every probe a sync of the disk. A disk that is full shows in the 503 of
        the requests that write.
        """
        try:
            self._hall.clockwork.next_moment()
        except (Unavailable, SQLAlchemyError):
            log.exception("health.datastore_failed")
            return _answer(503, "unavailable")
        if self._hall.dispatchers.is_draining:
            return _answer(503, "ok", draining=True)
        return _answer(200, "ok")


def _answer(status: int, datastore: str, **more: bool) -> Response:
    return Response(status, orjson.dumps({"datastore": datastore, **more}), "application/json; charset=utf-8")
