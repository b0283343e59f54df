"""The worker: a process that does one task whose type is no program of its own (see ``tasks.work``).

Its order is a private file. It ends with exit code 0, or 1 if the task failed, and leaves what it has to say about
that in another file; any other exit code is that of a crash.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dispatcher.agents import identity, premises
from dispatcher.agents.content import Cache
from dispatcher.agents.downloads import Downloads
from dispatcher.agents.worker_order import FAILED, WorkOrder
from dispatcher.core.errors import DispatcherError
from dispatcher.core.networks import Networks
from dispatcher.tasks import outputs
from dispatcher.tasks.registry import task_type
from dispatcher.tasks.work import Tools, WorkType

#: Where contents are kept, below the agent's home.
CACHE = "cache"
#: What the environment holds for tasks to refer to.
_VALUES = ("PARAM_", "VAR_", "FACT_")


def main(arguments: Sequence[str]) -> int:
    """Do the order in the file that the first of *arguments* names. This is the worker's composition root."""
    signal.signal(signal.SIGTERM, _end)
    file = Path(arguments[0])
    order = WorkOrder.model_validate_json(file.read_bytes())
    file.unlink()  # it may hold a password: nothing of that is left on the disk while the task runs
    os.chdir(order.work)
    kind = task_type(order.type)
    try:
        assert isinstance(kind, WorkType)  # noqa: S101 - nobody else asks for a worker
        said = kind.do(kind.Settings.model_validate(order.settings), _tools(order))
        code = 0
    except DispatcherError as error:
        said, code = error.message, FAILED
    except OSError as error:
        said, code = str(error), FAILED
    order.conclude(said)
    return code


def _tools(order: WorkOrder) -> Tools:
    allowed, known = premises.load(order.home), identity.load(order.home)
    downloads = Downloads(order.home, allowed)
    return Tools(
        values={name: value for name, value in os.environ.items() if name.startswith(_VALUES)},
        scratch=order.scratch,
        work=order.work,
        output_file=Path(os.environ[outputs.VARIABLE]),
        networks=Networks.parse(allowed.allowed_targets),
        contents=Cache(order.home / CACHE, allowed.cache_bytes, downloads.find, downloads.fetch),
        allows_power=allowed.allows_power,
        home=order.home,
        account=order.account,
        inputs=order.inputs,
        dispatchers=allowed.dispatchers,
        ca_file=allowed.ca_file,
        pin=allowed.pin,
        agent_id=known.agent_id if known is not None else None,
        task=order.task,
    )


def _end(number: int, _frame: object) -> NoReturn:
    """End in order, so that half-written files are removed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
