"""Agent uninstall: removes what ``agent_install`` has put on the computers that a discovery before it has found."""

from __future__ import annotations

from dispatcher.core.computers import AgentChange
from dispatcher.tasks.agent_setup import rounds, visits
from dispatcher.tasks.agent_setup.order import SetupSettings
from dispatcher.tasks.work import Tools, WorkType


class AgentUninstall(WorkType[SetupSettings]):
    """Removes agents."""

    name = "agent_uninstall"
    Settings = SetupSettings
    takes_inputs = True

    def summary(self, settings: SetupSettings) -> str:  # noqa: ARG002 - there is no more to say
        """Return what it does."""
        return "remove agents"

    def do(self, settings: SetupSettings, tools: Tools) -> str:
        """Remove the agent of each computer that was found; a line of output tells what became of it.

        :raises TaskFailed: if that has failed on one of them.
        """
        return rounds.go(settings, tools, visits.uninstall, (AgentChange.REMOVED,))


TYPE = AgentUninstall()
