"""Agent install: puts agents of this program on the computers that a discovery before it in the same run has found.

They get their program from the agent that does this, over SSH or WinRM.
"""

from __future__ import annotations

from dispatcher.core.computers import AgentChange
from dispatcher.tasks.agent_setup import rounds, visits
from dispatcher.tasks.agent_setup.order import SetupSettings
from dispatcher.tasks.work import Tools, WorkType


class AgentInstall(WorkType[SetupSettings]):
    """Installs agents."""

    name = "agent_install"
    Settings = SetupSettings
    takes_inputs = True

    def summary(self, settings: SetupSettings) -> str:
        """Return what it does."""
        return "install agents" + (", in place of those that are there" if settings.overwrite else "")

    def do(self, settings: SetupSettings, tools: Tools) -> str:
        """Install an agent on each computer that was found; a line of output tells what became of it.

        :raises TaskFailed: if that has failed on one of them.
        """
        return rounds.go(settings, tools, visits.install, (AgentChange.INSTALLED, AgentChange.REPLACED))


TYPE = AgentInstall()
