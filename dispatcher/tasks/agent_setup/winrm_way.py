"""The WinRM way: sets up the agent of a Windows computer by PowerShell, over PSRP. Not tested on Windows.

Parameters of scripts, secrets among them, go over the connection, and stand on no command line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import PureWindowsPath
from typing import Any
from uuid import UUID

from dispatcher.core.accounts import Account
from dispatcher.tasks.agent_setup import on_windows
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.agent_setup.sessions import Installed, NewAgent, State
from dispatcher.tasks.ssh_client import LoginRefused
from dispatcher.tasks.work import TaskFailed

#: Without TLS, and with it. Without TLS messages are encrypted by what the login agrees on, or not sent.
PORTS = (5985, 5986)
_TLS_PORT = 5986
NOT_INSTALLED = "WinRM is not available on this agent: install dispatcher[winrm]"
_CONNECT_S, _ANSWER_S = 30, 60


@contextmanager
def session(address: str, port: int, account: Account, order: SetupOrder) -> Iterator[WinRmSession]:
    """Log in at *address*, which may be called, and give what can be done there.

    :raises LoginRefused: if *account* may not log in.
    :raises TaskFailed: if the connection fails, or nothing can be done there.
    """
    try:
        import requests
        from pypsrp.client import Client
        from pypsrp.exceptions import AuthenticationError, WinRMError
    except ImportError:
        raise TaskFailed(NOT_INSTALLED) from None
    has_tls = port == _TLS_PORT
    try:
        with Client(
            f"[{address}]" if ":" in address else address,
            port=port,
            username=account.user,
            password=account.password,
            ssl=has_tls,
            encryption="auto" if has_tls else "always",
            no_proxy=True,
            connection_timeout=_CONNECT_S,
            read_timeout=_ANSWER_S,
        ) as client:
            yield WinRmSession(client, order)
    except AuthenticationError:
        raise LoginRefused(f"{address} refused {account.user} by password") from None
    except KeyError:  # the library has nothing to encrypt with
        raise TaskFailed(f"{address} port {port} answers without asking who it is: that is no WinRM") from None
    except (WinRMError, requests.RequestException, ValueError) as error:
        raise TaskFailed(f"{address} port {port}: {error}") from None


class WinRmSession:
    """What can be done on a Windows computer (``sessions.Session``)."""

    def __init__(self, client: Any, order: SetupOrder) -> None:
        self._client = client
        found = self._run("state", {"Directory": order.directory})
        self._python, self._archive = str(found["python"]), str(found["archive"])
        self.state = State(
            found["host_name"],
            PureWindowsPath(found["directory"]),
            UUID(found["agent_id"]) if found["agent_id"] else None,
            found["proof"],
            found["is_whole"],
            found["obstacle"],
            found["build"],
        )

    def install(self, agent: NewAgent) -> Installed:
        """Install *agent* (see ``Session``)."""
        self._client.copy(str(agent.archive), self._archive)
        told = self._run(
            "install",
            {
                "Python": self._python,
                "Directory": str(self.state.directory),
                "Archive": self._archive,
                "Files": json.dumps(dict(agent.files)),
                "Requirements": json.dumps(agent.requirements),
                "Token": agent.token,
            },
        )
        return Installed(UUID(told["agent_id"]), told["how"], told["proof"])

    def remove(self) -> None:
        """Remove the agent that is there (see ``Session``)."""
        self._run("remove", {"Directory": str(self.state.directory), "Proof": self.state.proof})

    def _run(self, name: str, parameters: dict[str, str]) -> dict[str, Any]:
        """Return what the script *name* tells: a JSON object in its last line.

        :raises TaskFailed: if it fails.
        """
        from pypsrp.powershell import PowerShell, RunspacePool

        with RunspacePool(self._client.wsman) as pool:
            shell = PowerShell(pool)
            shell.add_script(script(name)).add_parameters(parameters)
            shell.invoke()
            if shell.had_errors:
                raise TaskFailed("; ".join(str(error) for error in shell.streams.error) or f"{name}.ps1 has failed")
            told = str(shell.output[-1]) if shell.output else ""
        try:
            found: dict[str, Any] = json.loads(told)
        except ValueError:
            raise TaskFailed(f"{name}.ps1 told nothing that could be understood: {told[:200]}") from None
        return found


def script(name: str) -> str:
    """Return the text of the script *name*."""
    return resources.files(on_windows).joinpath(f"{name}.ps1").read_text("utf-8")
