"""Examples: what help pages show for the members of the contract, so that each example is a valid request."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.core.jobs import WhoKind
from dispatcher.core.states import State
from dispatcher.wire.guids import NO_GUID
from dispatcher.wire.types import new

# The module and the team are the sample library's (``services/demo.yaml``); which agents there are nobody knows.
_WHAT_ID = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
_AGENT_ID = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
_TEAM_ID = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F9AA}"
_TEAM = {"ID": _TEAM_ID, "Name": "All agents"}
_AGENT = new(contract.JobWho, ID=_AGENT_ID, Name="PC-042", IsLicensed=True, IsOnline=True, Type=WhoKind.AGENT.value)

#: By ``Type.Member``, or by member for all types.
EXAMPLES: Mapping[str, object] = {
    "AddAgents": None,
    "AddTeams": None,
    "AgentID": None,
    "AgentMembership.Agent": _AGENT,
    "AgentMembership.Teams": [new(contract.TeamChange, **_TEAM, Action=0, SetAsPrimary=True)],
    "BatchPercent": None,
    "BatchSize": None,
    "CurrentPage": 1,
    "Data": b"hello\n",
    "DaylightGap": "shift",
    "DaylightRepeat": "first",
    "Description": "Say hello to all agents",
    "FolderName": "Demo/First steps",
    "Hint": "",
    "ID": _WHAT_ID,
    "Identifier": "",
    "IsLocalTime": False,
    "IsRecurring": False,
    "IsRunBookJob": False,
    "JobGuid": NO_GUID,
    "JobID": "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}",
    "JobInvokerInfo": "api",
    "JobName": "",
    "JobOccurrence.JobID": "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}",
    "JobOccurrence.Reason": "",
    "JobParameter.Description": "",
    "JobParameter.Name": "Name",
    # The service's one use of a status is to abort a job with it (contract section 2.4).
    "JobStatus.Type": State.ABORTING.value,
    "JobWhat.Description": "",
    "JobWhat.Name": "Say hello",
    "JobWho.ID": _TEAM_ID,
    "JobWho.IsLicensed": False,
    "JobWho.IsOnline": False,
    "JobWho.Name": "All agents",
    "JobWho.Type": WhoKind.TEAM.value,
    "LaunchTimeoutSeconds": None,
    "MisfireRule": "once",
    "MisfireWindowSeconds": 3600,
    "NextBoot": False,
    "OfflineAgentsNextBoot": False,
    "Offset": 0,
    "Options": None,
    "Outcome": "Fired",
    "OutputParameters": [],
    "OutsideLaunchWindow": None,
    "OverlapRule": "allow",
    "PageCount": 1,
    "PageSize": 500,
    "PausedUntil": None,
    "Reason": "",
    "Recurrence": None,
    "AgentRemoval.Agent": _AGENT,
    "AgentRemoval.ID": None,
    "AgentRemoval.Name": None,
    "RemoveAgents": None,
    "RemoveJobHistory": False,
    "RemoveTeams": None,
    "RecurringJobID": None,
    "RecurringSchedule": None,
    "ScheduleInParallel": False,
    "SelectOneAgent": False,
    "SetAsPrimary": False,
    "Selection": "",
    "StopAtFailedPercent": None,
    "Tags": None,
    "TaskContainerGuid": _WHAT_ID,
    "TaskContainerName": "Say hello",
    "TeamChange.ID": _AGENT_ID,
    "TeamChange.Name": "PC-042",
    "TeamID": None,
    "TeamMembership.Team": new(contract.JobWho, **_TEAM, IsLicensed=False, IsOnline=False, Type=WhoKind.TEAM.value),
    "TeamReport.Agents": [_AGENT],
    "TeamReport.Description": "",
    "TeamReport.ID": _TEAM_ID,
    "TeamReport.Name": "All agents",
    "TimeoutSeconds": None,
    "Total": 6,
    "TotalCount": 1,
    "UseWakeOnLAN": False,
    "Value1": "world",
    "Value2": "",
    "Value3": "",
    # The beginning of a result document; as a whole it would fill the page.
    "Xml": "<?xml".encode("utf-16-le"),
}
