"""Translation between the messages about jobs and the services, total and pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from pydantic import SecretStr

from dispatcher.bindings.ivanti_endpoint_security import contract
from dispatcher.core.states import State
from dispatcher.services.ivanti_endpoint_security.jobs import ShownJob
from dispatcher.services.ivanti_endpoint_security.orders import (
    AddressTarget,
    DirectoryTarget,
    JobOrder,
    Kind,
    NameTarget,
    Options,
    RangeTarget,
    Target,
)

#: What each state is called (contract, common.md, section 5).
STATUSES: Mapping[State, str] = {
    State.DISABLED: "On Hold",
    State.SCHEDULED: "Scheduled",
    State.ACTIVE: "In Progress",
    State.ABORTING: "Canceling",
    State.ABORTED: "Canceled",
    State.COMPLETED: "Completed",
    State.FAILED: "Failed",
    State.STOPPED: "Failed",
    State.CANCELLED: "Canceled",
    State.COMPLETED_WITH_ERRORS: "Completed with errors",
    State.SKIPPED: "Skipped",
    State.PENDING: "In Progress",
    State.TIMED_OUT: "Failed",
}
#: The options, by their names on the wire.
_OPTIONS = {
    "PortScanDiscovery": "port_scan",
    "IcmpDiscovery": "icmp",
    "ResolveDnsName": "dns_name",
    "ResolveMacAddress": "mac_address",
    "ResolveNetbiosName": "netbios_name",
    "SnmpDiscovery": "snmp",
    "VerifyWithPing": "verify_with_ping",
    "WindowsDiscovery": "windows",
}
_MODULES = tuple(contract.JobModules.model_fields)


def to_order(job: contract.NewJob) -> JobOrder:
    """Return what *job* asks for."""
    targets = job.DiscoveryTargets
    ordered = [_to_target(one) for one in _targets(targets)]
    first = len(ordered) - len(targets.ActiveDirectoryTargets)
    kind, credentials = Kind(job.JobType), job.Credentials or contract.JobCredentials()
    return JobOrder(
        name=job.Name,
        starts_at=job.StartTime,
        kind=kind,
        overwrite=job.OverwriteExistingAgents,
        username=credentials.Username,
        password=_secret(credentials.Password),
        modules=_to_modules(job.Modules) if kind is Kind.INSTALL else (),
        options=_to_options(job.DiscoveryOptions),
        targets=tuple(ordered),
        directory_passwords={
            first + place: SecretStr(one.Password)
            for place, one in enumerate(targets.ActiveDirectoryTargets)
            if one.Password
        },
        agent=job.Agent,
    )


def _targets(
    targets: contract.JobDiscoveryTargets,
) -> chain[
    contract.SingleIpTarget | contract.RangeIpTarget | contract.ComputerNameTarget | contract.ActiveDirectoryTarget
]:
    return chain(
        targets.SingleIpTargets, targets.RangeIpTargets, targets.ComputerNameTargets, targets.ActiveDirectoryTargets
    )


def _to_target(
    target: contract.SingleIpTarget
    | contract.RangeIpTarget
    | contract.ComputerNameTarget
    | contract.ActiveDirectoryTarget,
) -> Target:
    patience: dict[str, Any] = {"timeout_ms": target.Timeout, "retry": target.Retry}
    match target:
        case contract.SingleIpTarget():
            return AddressTarget(address=target.Ip, **patience)
        case contract.RangeIpTarget():
            return RangeTarget(start=target.StartIp, end=target.EndIp, **patience)
        case contract.ComputerNameTarget():
            return NameTarget(name=target.ComputerName, **patience)
        case contract.ActiveDirectoryTarget():
            return DirectoryTarget(
                domain=target.Domain,
                canonical_name=target.CanonicalName,
                organizational_unit=target.OrganizationalUnit,
                username=target.Username,
                **patience,
            )


def _to_options(options: contract.JobDiscoveryOptions | None) -> Options:
    if options is None:  # all true (seed, DiscoveryOptions)
        return Options(**dict.fromkeys(_OPTIONS.values(), True))
    return Options(**{name: getattr(options, wire) for wire, name in _OPTIONS.items()})


def _to_modules(modules: contract.JobModules | None) -> tuple[str, ...]:
    return () if modules is None else tuple(name for name in _MODULES if getattr(modules, name))


def _secret(text: str) -> SecretStr | None:
    return SecretStr(text) if text else None


def to_wire_job(job: ShownJob) -> contract.Job:
    """Return *job* as it is shown."""
    record = job.record
    return contract.Job(
        Id=record.number,
        Name=record.name,
        JobType=record.kind.value,
        StartTime=record.starts_at,
        Status=STATUSES[record.state],
        **(_UNASKED if job.order is None else _to_wire_order(job.order)),
        CreatedBy=record.created_by,
        CreatedTime=record.created_at,
        StartedTime=record.started_at,
        CompletedTime=record.stopped_at,
        StatusDetail=record.reason or job.failure,
    )


def _to_wire_order(order: JobOrder) -> dict[str, Any]:
    options = {wire: getattr(order.options, name) for wire, name in _OPTIONS.items()}
    return {
        "OverwriteExistingAgents": order.overwrite,
        "Credentials": contract.ShownCredentials(Username=order.username) if order.username else None,
        "Modules": contract.JobModules(**{name: name in order.modules for name in _MODULES}),
        "DiscoveryOptions": contract.JobDiscoveryOptions(**options),
        "DiscoveryTargets": _to_wire_targets(order.targets),
        "Agent": order.agent,
    }


def to_wire_entity(job: ShownJob, context: str) -> contract.JobEntity:
    """Return *job* as it is shown alone; *context* is where its kind is described."""
    results = [contract.TargetResult(Target=one.target, Status=one.status, Detail=one.detail) for one in job.results]
    remarks = list(job.remarks)
    return contract.JobEntity(context=context, **dict(to_wire_job(job)), Results=results, Remarks=remarks)


def _to_wire_targets(targets: Iterable[Target]) -> contract.ShownTargets:
    shown = contract.ShownTargets(
        SingleIpTargets=[], RangeIpTargets=[], ComputerNameTargets=[], ActiveDirectoryTargets=[]
    )
    for target in targets:
        patience = {"Timeout": target.timeout_ms, "Retry": target.retry}
        match target:
            case AddressTarget():
                shown.SingleIpTargets.append(contract.SingleIpTarget(Ip=target.address, **patience))
            case RangeTarget():
                shown.RangeIpTargets.append(contract.RangeIpTarget(StartIp=target.start, EndIp=target.end, **patience))
            case NameTarget():
                shown.ComputerNameTargets.append(contract.ComputerNameTarget(ComputerName=target.name, **patience))
            case DirectoryTarget():
                shown.ActiveDirectoryTargets.append(
                    contract.ShownDirectoryTarget(
                        CanonicalName=target.canonical_name,
                        OrganizationalUnit=target.organizational_unit,
                        Domain=target.domain,
                        Username=target.username,
                        **patience,
                    )
                )
    return shown


#: What is in the place of an order in a list whose $select asks for nothing of it.
_UNASKED: Mapping[str, Any] = {
    "OverwriteExistingAgents": False,
    "Credentials": None,
    "Modules": contract.JobModules(**dict.fromkeys(_MODULES, False)),
    "DiscoveryOptions": contract.JobDiscoveryOptions(**dict.fromkeys(_OPTIONS, False)),
    "DiscoveryTargets": _to_wire_targets(()),
    "Agent": "",
}
