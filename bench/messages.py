"""Messages: the requests that the figures are measured with, as bytes of HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

#: Stands in a request where each one that is sent carries its own number, in as many digits.
NUMBER = b"00000000"
CONTRACT = "http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"
SERVICE = "http://tempuri.org/"
PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: ``path`` is that of the service."""

    port: int
    path: str
    credentials: tuple[str, str] | None = None

    def post_soap(self, operation: str, content: str) -> bytes:
        """Return a SOAP 1.1 call of *operation* with *content* inside."""
        body = (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f'<{operation} xmlns="{SERVICE}" xmlns:d="{CONTRACT}">{content}</{operation}></s:Body></s:Envelope>'
        ).encode()
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": f'"{SERVICE}ISchedulingService/{operation}"',
            "Content-Length": str(len(body)),
        }
        return self._head("POST", self.path, headers) + body

    def get(self, below: str, accept: str) -> bytes:
        """Return a REST call of *below*, a path relative to the service."""
        return self._head("GET", f"{self.path}/{below}", {"Accept": accept})

    def _head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        if self.credentials:
            token = base64.b64encode(":".join(self.credentials).encode()).decode()
            lines.append(f"Authorization: Basic {token}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def schedule_job(target: Target, module_id: str, agent_id: str, values: Mapping[str, str]) -> bytes:
    """Return a call that schedules the module on an agent at once; its description ends in ``NUMBER``."""
    return _schedule(target, module_id, (agent_id, "Agent"), values)


def schedule_team_job(target: Target, module_id: str, team_id: str) -> bytes:
    """Return a call that schedules the module, which has no parameters, on a team at once."""
    return _schedule(target, module_id, (team_id, "Team"), {})


def _schedule(target: Target, module_id: str, who: tuple[str, str], values: Mapping[str, str]) -> bytes:
    parameters = "".join(
        f"<d:JobParameter><d:Name>{name}</d:Name><d:Type>Text</d:Type><d:Value1>{value}</d:Value1></d:JobParameter>"
        for name, value in values.items()
    )
    return target.post_soap(
        "ScheduleJob",
        f"<job><d:Description>bench {NUMBER.decode()}</d:Description>"
        f"<d:Parameters><d:ParameterContainer><d:JobParameters>{parameters}</d:JobParameters>"
        f"<d:TaskContainerGuid>{module_id}</d:TaskContainerGuid></d:ParameterContainer></d:Parameters>"
        f"<d:What><d:JobWhat><d:ID>{module_id}</d:ID><d:Type>Module</d:Type></d:JobWhat></d:What>"
        "<d:When><d:Immediate>true</d:Immediate></d:When>"
        f"<d:Who><d:JobWho><d:ID>{who[0]}</d:ID><d:Type>{who[1]}</d:Type></d:JobWho></d:Who></job>",
    )


def get_job(target: Target, job_id: str) -> bytes:
    """Return a SOAP call that reads a job."""
    return target.post_soap("GetJob", f"<jobId>{job_id}</jobId>")


def twenty_values() -> dict[str, str]:
    """Return the values of 20 parameters, all 18 characters long."""
    return {f"P{place:02}": f"value-{place:02}-xxxxxxxxx" for place in range(1, PARAMETERS + 1)}
