from collections.abc import Iterator

import pytest

from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.core import errors


def subclasses(error: type[errors.DispatcherError]) -> Iterator[type[errors.DispatcherError]]:
    for one in error.__subclasses__():
        yield one
        yield from subclasses(one)


#: What services raise besides concerns the server alone, and is answered with 500.
CORE_ERRORS = [one for one in subclasses(errors.DispatcherError) if one.__module__ == errors.__name__]


@pytest.mark.parametrize("error", CORE_ERRORS, ids=lambda error: error.__name__)
def test_no_error_of_the_core_falls_through_to_the_root(error: type[errors.DispatcherError]) -> None:
    nearest = next(one for one in error.__mro__ if one in STATUSES)

    assert nearest is not errors.DispatcherError


def test_statuses_are_those_of_the_contract() -> None:
    assert STATUSES[errors.BadRequest] == 400
    assert STATUSES[errors.Forbidden] == 403
    assert STATUSES[errors.NotFound] == 404
    assert STATUSES[errors.Conflict] == 409
