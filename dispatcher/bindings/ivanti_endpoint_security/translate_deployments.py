"""Translation between the messages about deployments and the services, total and pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dispatcher.bindings.ivanti_endpoint_security import deployment_contract as contract
from dispatcher.bindings.ivanti_endpoint_security.translate import STATUSES
from dispatcher.core.results import RunResult
from dispatcher.core.states import State
from dispatcher.services.ivanti_endpoint_security.deployments import ShownDeployment
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatch, NewPatchList
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder, NoticeOrder, NoticeWish
from dispatcher.services.ivanti_endpoint_security.patch_lists import PatchList

#: What a notice lets the user do, by its names on the wire, and who else may say that.
_ALLOWED: Mapping[str, tuple[str, str, str]] = {
    "AllowCancel": ("allow_cancel", "cancel_by_policy", "UseAgentPolicy_AllowCancel"),
    "AllowSnooze": ("allow_snooze", "snooze_by_policy", "UseAgentPolicy_AllowSnooze"),
    "NotificationOnTop": ("on_top", "on_top_by_policy", "UseAgentPolicy_NotificationOnTop"),
}

_RESTARTS: Mapping[contract.RebootRule, str] = {
    contract.RebootRule.IF_NEEDED: "if_needed",
    contract.RebootRule.ALWAYS: "always",
    contract.RebootRule.NEVER: "never",
}
#: What is in the place of an order in a list whose $select asks for nothing of it.
_UNASKED: Mapping[str, Any] = {
    "CustomPatchListId": 0,
    "AgentGuids": [],
    "GroupIds": [],
    "Notify": None,
    "Reboot": None,
}


def to_order(deployment: contract.NewDeployment) -> DeploymentOrder:
    """Return what *deployment* asks for."""
    notify, reboot = deployment.Notify, deployment.Reboot
    return DeploymentOrder(
        name=deployment.Name,
        starts_at=deployment.StartTime,
        patch_list=deployment.CustomPatchListId,
        agents=tuple(deployment.AgentGuids),
        groups=tuple(deployment.GroupIds),
        notify=None if notify is None else _to_wish(notify, notify.DeployWithin),
        restart=None if reboot is None else _to_wish(reboot, reboot.RebootWithin),
    )


def _to_wish(notice: contract.NotifyOptions | contract.RebootOptions, within_min: int) -> NoticeWish:
    said = notice.model_fields_set
    return NoticeWish(
        notice=NoticeOrder(
            message=notice.Message,
            within_min=within_min,
            **{name: getattr(notice, wire) for wire, (name, _, _) in _ALLOWED.items()},
        ),
        by_policy=notice.UseAgentPolicies,
        own=frozenset(name for wire, (name, _, flag) in _ALLOWED.items() if wire in said and flag not in said),
        **{member: getattr(notice, flag) for member, flag in ((one[1], one[2]) for one in _ALLOWED.values())},
    )


def to_wire_deployment(deployment: ShownDeployment) -> contract.Deployment:
    """Return *deployment* as it is shown."""
    record = deployment.record
    return contract.Deployment(
        Id=record.number,
        Name=record.name,
        StartTime=record.starts_at,
        **(_UNASKED if deployment.order is None else _to_wire_order(deployment.order)),
        Status=STATUSES[record.state],
        CreatedBy=record.created_by,
        CreatedTime=record.created_at,
        StartedTime=record.started_at,
        CompletedTime=record.stopped_at,
        StatusDetail=record.reason,
    )


def _to_wire_order(order: DeploymentOrder) -> dict[str, Any]:
    notify, restart = order.notify, order.restart
    return {
        "CustomPatchListId": order.patch_list,
        "AgentGuids": list(order.agents),
        "GroupIds": list(order.groups),
        "Notify": None
        if notify is None
        else contract.NotifyOptions(**_to_wire_wish(notify), DeployWithin=notify.notice.within_min),
        "Reboot": None
        if restart is None
        else contract.RebootOptions(**_to_wire_wish(restart), RebootWithin=restart.notice.within_min),
    }


def to_wire_entity(deployment: ShownDeployment, context: str) -> contract.DeploymentEntity:
    """Return *deployment* as it is shown alone; *context* is where its kind is described."""
    shown = to_wire_deployment(deployment)
    results = [_to_wire_result(one, deployment.failures) for one in deployment.results]
    return contract.DeploymentEntity(context=context, **dict(shown), Results=results)


def _to_wire_wish(wish: NoticeWish) -> dict[str, Any]:
    members: dict[str, Any] = {"Message": wish.notice.message, "UseAgentPolicies": wish.by_policy}
    for wire, (name, member, flag) in _ALLOWED.items():
        members |= {wire: getattr(wish.notice, name), flag: getattr(wish, member)}
    return members


def _to_wire_result(run: RunResult, failures: Mapping[UUID, str]) -> contract.EndpointResult:
    detail = run.reason or run.activity or failures.get(run.agent.id, "")
    return contract.EndpointResult(
        AgentGuid=run.agent.id, Name=run.agent.name, Status=STATUSES[State(run.state)], Detail=detail
    )


def to_wire_patch_list(patch_list: PatchList) -> contract.PatchList:
    """Return *patch_list* as it is shown."""
    return contract.PatchList(
        Id=patch_list.number,
        Name=patch_list.name,
        Description=patch_list.description,
        Folder=patch_list.folder,
        Patches=list(patch_list.patches),
        ModifiedTime=patch_list.changed_at,
        ModifiedBy=patch_list.changed_by,
    )


def to_wire_patch_list_entity(patch_list: PatchList, context: str) -> contract.PatchListEntity:
    """Return *patch_list* as it is shown alone; *context* is where its kind is described."""
    return contract.PatchListEntity(context=context, **dict(to_wire_patch_list(patch_list)))


def to_patch_list(new: contract.NewPatchList) -> NewPatchList:
    """Return what *new* asks for."""
    patches = [
        NewPatch(
            name=one.Name,
            description=one.Description,
            package=one.Package,
            version=one.Version,
            command=one.Command,
            restart=_RESTARTS[one.Reboot],
            platforms=[platform.upper() for platform in one.Platforms],
        )
        for one in new.Patches
    ]
    return NewPatchList(new.Name, new.Description, patches)
