"""A gateway and the devices that it works for: what the tests of devices share."""

from __future__ import annotations

from uuid import UUID

from job_world import a_request, on

from dispatcher.core.jobs import JobRequest

SHOW, LOCAL, SWITCHES, ONE, TWO, LONE, WINDOWS = (
    UUID(f"00000000-0000-4000-8000-{number:012}") for number in range(1, 8)
)
LIBRARY = f"""
modules:
  - {{name: Show, id: {SHOW}, tasks: [{{type: ssh_command, name: t, settings: {{text: 'true'}}}}]}}
  - {{name: Local, id: {LOCAL}, tasks: [{{type: command, name: t, settings: {{command: 'true'}}}}]}}
  - name: Windows
    id: {WINDOWS}
    platforms: [WINDOWS]
    tasks: [{{type: ssh_command, name: t, settings: {{text: 'true'}}}}]
teams:
  - {{name: Switches, id: {SWITCHES}, rule: 'primary_team == "Switches"'}}
agents:
  - {{name: sw-1, id: {ONE}, address: 10.0.0.1, primary_team: Switches}}
  - {{name: sw-2, id: {TWO}, address: 10.0.0.2, primary_team: Switches}}
  - {{name: lone, id: {LONE}, address: 10.0.0.3}}
"""


def show(*computers: UUID, what: UUID = SHOW, **rest: object) -> JobRequest:
    """Return the request for a job that is done over the network."""
    return a_request(what, who=on(*computers), **rest)
