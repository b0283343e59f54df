"""The samples and examples of the vendor's page (seed), word for word; parts of a model are put into a whole one."""

from __future__ import annotations

#: The defaults of what a notice says nothing of, but for its text and its minutes (contract 1.4).
NOTICE = {
    "AllowCancel": False,
    "AllowSnooze": True,
    "NotificationOnTop": True,
    "UseAgentPolicies": False,
    "UseAgentPolicy_AllowCancel": False,
    "UseAgentPolicy_AllowSnooze": True,
    "UseAgentPolicy_NotificationOnTop": True,
}

#: Stringified JSON: the one sample that the page shows as it is sent.
STRINGIFIED = """{
Name: "Test",
JobType: 1,
StartTime: "2022-03-03T11:30:00.000Z",
DiscoveryTargets:{
RangeIpTargets:[{StartIp: "192.168.19.100", EndIP: "192.168.19.200"}]
},
}"""
#: The same as a body, with the page's own line breaks and escapes.
STRINGIFIED_BODY = b"""{
"value" : "{
Name: \\"Test\\",
JobType: 1,
StartTime: \\"2022-03-03T11:30:00.000Z\\",
DiscoveryTargets:{
RangeIpTargets:[{StartIp: \\"192.168.19.100\\", EndIP: \\"192.168.19.200\\"}]
},
}"
}"""
#: POST/api/v2/Jobs.
JOB = """{
Name: "<JobName>",
JobType: 1,
StartTime: "2022-03-03T11:30:00.000Z",
OverwriteExistingAgents: false,
Credentials: {
Username: "<WindowsUserName>",
Password: "<WindowsPassword>",
},
Modules: {
AC: false,
AV: false,
DC: false,
PR: false,
},
DiscoveryOptions: {
PortScanDiscovery: true,
IcmpDiscovery: true,
ResolveDnsName: true,
ResolveMacAddress: true,
ResolveNetbiosName: true,
SnmpDiscovery: true,
VerifyWithPing: true,
WindowsDiscovery: true,
},
DiscoveryTargets: {
SingleIpTargets: [{
Ip: "192.168.0.100",
Timeout: 3000,
Retry: 3
}],
RangeIpTargets: [{
StartIp: "192.168.0.100",
EndIp: "192.168.0.200",
Timeout: 3000,
Retry: 3
}],
ComputerNameTargets: [{
ComputerName: "<ComputerName>",
Timeout: 3000,
Retry: 3
}],
ActiveDirectoryTargets: [{
CanonicalName: "<CN>",
OrganizationalUnit: "<OU>",
Domain: "<DomainName>",
Username: "<UserName>",
Password: "<Password>",
Timeout: 3000,
Retry: 3
}]
},
}"""
#: Modules, Examples, with the modules that are installed.
MODULES = [
    ("Modules: {\nAV: true\n}", ["AV"]),
    ("Modules: {\nAC: true,\nPR: true}", ["AC", "PR"]),
    ("Modules: {\nAC: true,\nAV: true,\nDC: true,\nPR: true}", ["AC", "AV", "DC", "PR"]),
]
#: DiscoveryOptions, Examples, with the options that are true.
OPTIONS = [
    ("DiscoveryOptions: {\nIcmpDiscovery: true\n}", ["IcmpDiscovery"]),
    (
        "DiscoveryOptions: {\nIcmpDiscovery: true,\nResolveDnsName: true,\nResolveMacAddress: true,\n"
        "ResolveNetbiosName: true,\nSnmpDiscovery: true,\nVerifyWithPing: true,\nWindowsDiscovery: true}",
        [
            "IcmpDiscovery",
            "ResolveDnsName",
            "ResolveMacAddress",
            "ResolveNetbiosName",
            "SnmpDiscovery",
            "VerifyWithPing",
            "WindowsDiscovery",
        ],
    ),
    ("DiscoveryOptions: {}", []),
]
#: DiscoveryTargets, Examples, with the targets: what, Timeout, Retry.
TARGETS = [
    ('DiscoveryTargets: {\nSingleIpTargets: [{\nIp: "192.168.0.1"\n}]\n}', [("192.168.0.1", 3000, 3)]),
    (
        'DiscoveryTargets: {\nComputerNameTargets: [{\nComputerName: "my pc",\nTimeout: 5000}]\n}',
        [("my pc", 5000, 3)],
    ),
    (
        'DiscoveryTargets: {\nComputerNameTargets: [{\nComputerName: "my pc",\nTimeout: 5000}],\n'
        'SingleIpTargets: [{Ip: "192.168.0.1",\nRetry: 10}]\n}',
        [("192.168.0.1", 3000, 10), ("my pc", 5000, 3)],
    ),
    (
        'DiscoveryTargets: {\nSingleIpTargets: [{\nIp: "192.168.0.1"}, {Ip: "192.168.0.2"}, {Ip: "192.168.0.2"\n}]\n}',
        [("192.168.0.1", 3000, 3), ("192.168.0.2", 3000, 3), ("192.168.0.2", 3000, 3)],
    ),
]
#: DiscoveryTargets, Examples of invalid configuration.
NO_TARGETS = ["DiscoveryTargets: {}", "DiscoveryTargets: {\nComputerNameTargets: [],\nSingleIpTargets: []}"]
#: POST/api/v2/DeploymentGroups; a comma is missing between Notify and Reboot.
DEPLOYMENT = """{
CustomPatchListId: 1,
AgentGuids: ["9e317d51-07ac-4c17-8a1f-3111d385bc7e"],
GroupIds: [1009],
StartTime: "2023-01-06T11:35:02.007Z",
Notify: {
Message: "Notification options",
AllowCancel: false,
AllowSnooze: true,
NotificationOnTop: true,
UseAgentPolicies: false,
UseAgentPolicy_AllowCancel: false,
UseAgentPolicy_AllowSnooze: true,
UseAgentPolicy_NotificationOnTop: true,
DeployWithin: 60,
}
Reboot: {
Message: "Reboot options",
AllowCancel: false,
AllowSnooze: true,
NotificationOnTop: true,
UseAgentPolicies: false,
UseAgentPolicy_AllowCancel: false,
UseAgentPolicy_AllowSnooze: true,
UseAgentPolicy_NotificationOnTop: true,
RebootWithin: 60,
}
}"""
_BEGIN = (
    '{\nCustomPatchListId : 1,\nAgentGuids : ["9e317d51-07ac-4c17-8a1f-3111d385bc7e"],\nGroupIds: [1009],\n'
    'StartTime: "2023-01-06T11:35:02.007Z",'
)
#: Its Examples, with what differs from the defaults in Notify and in Reboot; None where there is no such thing.
DEPLOYMENTS = [
    (_BEGIN + "}", None, None),
    (
        _BEGIN + "\nNotify: {AllowCancel: true,\nDeployWithin: 222}\n}",
        {"AllowCancel": True, "DeployWithin": 222},
        None,
    ),
    (
        _BEGIN
        + "\nNotify: {AllowCancel: true,\nDeployWithin: 222},\nReboot: {AllowSnooze: false,\nRebootWithin: 222}\n}",
        {"AllowCancel": True, "DeployWithin": 222},
        {"AllowSnooze": False, "RebootWithin": 222},
    ),
]
