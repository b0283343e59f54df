"""What tests need of the machine: without it they are skipped, but for CI, which installs everything."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

IN_CI = bool(os.environ.get("CI"))


def missing(program: str) -> NoReturn:
    """Fail where everything must be there (CI), skip elsewhere."""
    message = f"{program} is not installed"
    if IN_CI:
        pytest.fail(message)
    pytest.skip(message)
