"""Footprint: nothing of the server on a managed computer, and an idle agent that sleeps."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

SERVER_ONLY = ["sqlalchemy", "lxml", "spyne", "werkzeug", "alembic", "structlog", "uvicorn", "dispatcher.services"]


@pytest.mark.parametrize("module", ["dispatcher.agents.runner", "dispatcher.agents.slot"])
def test_agent_loads_nothing_of_the_server(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {SERVER_ONLY} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_slot_needs_no_http() -> None:
    code = "import sys, dispatcher.agents.slot; print('requests' in sys.modules, 'urllib3' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False False\n"


def test_idle_agent_does_not_wake_up(gateway, agent, an_order) -> None:
    order = an_order("true")
    gateway.order(order)
    gateway.finished(order.run_id)
    time.sleep(0.5)
    processes = [psutil.Process(agent.process.pid), *agent.slots()]
    before = [process.num_ctx_switches().voluntary for process in processes]
    time.sleep(2)
    assert [process.num_ctx_switches().voluntary for process in processes] == before


def test_modules_load_where_there_is_no_posix() -> None:
    code = """
import sys
for name in ("fcntl", "termios", "pwd", "grp"):
    sys.modules[name] = None
import dispatcher.agents.runner, dispatcher.agents.slot
"""
    subprocess.run([sys.executable, "-c", code], check=True)
