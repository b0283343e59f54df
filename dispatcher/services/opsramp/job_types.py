"""Job types: what OpsRamp's jobs do. A type is the module that has it as its alias (``opsramp``, ``job_type``)."""

from __future__ import annotations

from dispatcher.core.errors import InvalidValue
from dispatcher.services.opsramp.orders import Order

#: How many resources a job may be for.
MAX_ENTITIES = 5_000
#: The types that are listed, with their names; ``custom`` is one too.
JOB_TYPES = {
    "adCheckList": "AD CheckList",
    "antispyware": "Anti SpyWare",
    "antivirus": "Antivirus Update",
    "appaudit": "Application Scan",
    "assetinfo": "Asset Information",
    "backupagent": "BackUp Agent",
    "diskdefrag": "Disk Defragmentation",
    "exbpaCheckList": "EXBPA CheckList",
    "missingPatchesRequest": "Missing Patches Request",
    "sqlreport": "MSSQL Report",
    "networkconfigbackup": "Network Configuration Backup",
    "tempfilesreport": "TempFiles Deletion",
    "appinstall": "Application Install",
    "appupdate": "Application Update",
}
#: The type of scripts. It is in no list, and needs not be said where a script is named.
CUSTOM = "custom"
AD_CHECK_LIST, NETWORK_BACKUP, APP_INSTALL = "adCheckList", "networkconfigbackup", "appinstall"
#: The approval type of a job that waits until somebody approves it.
MANUAL = 0
#: Jobs of these types must be named and scheduled.
SCHEDULED = (AD_CHECK_LIST, NETWORK_BACKUP)

_BY_KEY = {name.casefold(): name for name in (*JOB_TYPES, CUSTOM)}


def find_job_type(text: str) -> str | None:
    """Return the job type that *text* means, in its own spelling; None if there is none."""
    return _BY_KEY.get(text.casefold())


def alias_of(job_type: str) -> tuple[str, str, str]:
    """Return the alias of the module that jobs of *job_type* run."""
    return ("opsramp", "job_type", job_type)


def check(order: Order) -> None:
    """Check that *order* says what its job type needs.

    :raises InvalidValue: if not; the error names the member as callers know it.
    """
    if len(order.entities) > MAX_ENTITIES:
        raise InvalidValue("entities", f"names more than {MAX_ENTITIES} resources")
    if order.job_type == CUSTOM:
        if order.script is None:
            raise InvalidValue("script.customScript.id", "is missing")
        if order.config:
            raise InvalidValue("script.configParams", "a custom script has none: it is given parameters")
        return
    if order.script is not None:
        raise InvalidValue("script.customScript", f"only a job of the type {CUSTOM} has one")
    if order.job_type != NETWORK_BACKUP and (order.config or {}).get("backUpTrigger"):
        raise InvalidValue("script.configParams.backUpTrigger", f"only a job of the type {NETWORK_BACKUP} has one")
    if order.job_type in SCHEDULED:
        if not order.name:
            raise InvalidValue("name", "is missing")
        if order.timing is None:
            raise InvalidValue("schedule", "is missing")
        if order.timing.start is None:
            raise InvalidValue("schedule.startDate", "is missing")
    if order.job_type == NETWORK_BACKUP and not order.entities:
        raise InvalidValue("entities", "names no resource")
