"""Between the wire and the services: assets, asset groups, standards and evaluation results. Total and pure.

The shapes of assets and of results are as clients of the original read them (docs/dialects/symantec-ccs.rst).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from dispatcher.bindings.symantec_ccs import lookup_contract as contract
from dispatcher.bindings.symantec_ccs.contract import FolderSearch
from dispatcher.bindings.symantec_ccs.translate import to_wire_moment
from dispatcher.core.errors import InvalidValue
from dispatcher.core.results import TaskResult
from dispatcher.core.states import State
from dispatcher.services.symantec_ccs.inventory import Asset, AssetGroup, Standard
from dispatcher.services.symantec_ccs.results import Evaluation

_PREFIX = "symc-csm-AssetSystem-Asset-"
_UNIX, _WINDOWS = f"{_PREFIX}Unix-Machine", f"{_PREFIX}Wnt-Machine"
_DISPLAY = {_UNIX: "UNIX Machine", _WINDOWS: "Windows Machine"}
#: Where the vendor's console shows assets and standards.
ASSETS, STANDARDS = "Asset system", "Standards"
_VERSION = re.compile(r"([0-9]{1,9})(?:\.0)*")
_FAILED = (State.FAILED, State.STOPPED, State.TIMED_OUT, State.COMPLETED_WITH_ERRORS)
_OPEN = (State.PENDING, State.ACTIVE, State.ABORTING, State.ABORTED, State.CANCELLED)


def to_type(asset: Asset) -> str:
    """Return the name of the type of *asset*."""
    return _WINDOWS if asset.os.lower() == "windows" else _UNIX


def to_wire_asset(asset: Asset) -> contract.Asset:
    """Return *asset* as lists show it."""
    return contract.Asset(
        Id=asset.external_id, DisplayName=asset.name, Type=to_type(asset), Path=_path(ASSETS, folder_of(asset))
    )


def folder_of(asset: Asset) -> str:
    """Return the path of the folder that *asset* is shown in, with ``/`` between names."""
    return "/".join(asset.groups)


def has_asset(search: FolderSearch, asset: Asset) -> bool:
    """Whether *asset* is where *search* looks: each is in the root, too, which the vendor's scripts look into alone."""
    return is_in("", search, ASSETS) or is_in(folder_of(asset), search, ASSETS)


def to_wire_details(asset: Asset) -> contract.AssetDetails:
    """Return *asset* with its attributes."""
    kind = to_type(asset)
    return contract.AssetDetails(
        ID=asset.external_id,
        DisplayName=asset.name,
        Type=contract.TypeName(Name=kind, DisplayName=_DISPLAY[kind]),
        Path=_path(ASSETS, folder_of(asset)),
        Attributes=[
            contract.Attribute(
                Name=name,
                Value=value if isinstance(value, str) else None,
                Values=None if isinstance(value, str) else value,
                IsMultiValued=not isinstance(value, str),
            )
            for name, value in _attributes(asset)
        ],
    )


def to_attributes(asset: Asset) -> dict[str, list[str]]:
    """Return what searches may ask for of *asset*: the texts that fit, by the names of the attributes in lower case."""
    named = {name.lower(): [value] if isinstance(value, str) else value for name, value in _attributes(asset)}
    return {**named, "id": [asset.external_id], "type": [to_type(asset)]}


def _attributes(asset: Asset) -> Iterator[tuple[str, str | list[str]]]:
    """Give the attributes of *asset*, the machine's under the names that its type has for them."""
    kind = to_type(asset)
    is_windows = kind == _WINDOWS
    yield "displayName", asset.name
    yield "whenCreated", to_wire_moment(asset.created_at)
    yield "whenChanged", to_wire_moment(asset.changed_at)
    yield f"{kind}-{'HostName' if is_windows else 'HostMachine'}", asset.hostname
    yield f"{kind}-{'OSVersionType' if is_windows else 'OSSystem'}", asset.os
    yield f"{kind}-OSVersionString", asset.os_version
    yield f"{kind}-{'TCPIPAddresses' if is_windows else 'IPAddresses'}", [asset.address] if asset.address else []
    for name, value in sorted(asset.facts.items()):
        yield f"fact.{name}", str(value)


def to_wire_group(group: AssetGroup) -> contract.AssetGroup:
    """Return *group* as the wire shows it."""
    return contract.AssetGroup(
        Id=group.external_id,
        DisplayName=group.name,
        Description=group.description,
        Path=_path(ASSETS, group.folder),
    )


def to_group_attributes(group: AssetGroup) -> dict[str, list[str]]:
    """Return what searches may ask for of *group*, as ``to_attributes``."""
    return {"displayname": [group.name], "description": [group.description], "id": [group.external_id]}


def to_wire_standard(standard: Standard) -> contract.Standard:
    """Return *standard* as the wire shows it."""
    return contract.Standard(
        Id=standard.external_id,
        DisplayName=standard.name,
        Description=standard.description,
        Version=_version(standard.version),
        Author=standard.author,
        Path=_path(STANDARDS, standard.folder),
    )


def to_standard_attributes(standard: Standard) -> dict[str, list[str]]:
    """Return what searches may ask for of *standard*, as ``to_attributes``."""
    return {
        "displayname": [standard.name],
        "description": [standard.description],
        "id": [standard.external_id],
        "symc-standard-author": [standard.author],
        "symc-standard-version": [_version(standard.version)],
        "symc-standard-targettypeids": [*standard.platforms],
    }


def is_in(folder: str, search: FolderSearch, root: str) -> bool:
    """Whether *folder* is where *search* looks; *root*, which all folders of its kind are in, may stand before it."""
    if search.ContainerPath is None:
        return True
    root = root.lower()
    container = search.ContainerPath.replace("\\", "/").strip(" /").lower()
    wanted = "" if container == root else container.removeprefix(f"{root}/")
    place = folder.lower()
    return place == wanted or (search.searchsubtree and (not wanted or place.startswith(f"{wanted}/")))


def to_version(text: str) -> int:
    """Return the version of a module that ``n.0.0`` stands for.

    :raises InvalidValue: if it is none.
    """
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        raise InvalidValue("StandardVersion", f"{text[:50]!r} is no version such as 3.0.0")
    return int(match[1])


def to_wire_result(found: Evaluation, only: Collection[str] | None) -> contract.EvaluationResult:
    """Return *found*; with *only* the checks that have these ids."""
    wanted = None if only is None else {one.strip().lower() for one in only}
    checks = [one for one in found.checks if wanted is None or str(one.task_id) in wanted]
    passed = [one for one in checks if one.state is State.COMPLETED]
    failed = [one for one in checks if one.state in _FAILED]
    counted = len(passed) + len(failed)
    statistics = contract.ComplianceStatistics(
        at=to_wire_moment(found.at), score=round(100 * len(passed) / counted, 2) if counted else 0, total=len(checks)
    )
    result = contract.RawEvaluationResult(
        standard=found.standard,
        version=_version(found.version),
        asset=found.asset,
        JobRunID=str(found.run_id),
        statistics=statistics,
        open=[_check(one) for one in checks if one.state in _OPEN],
        exempted=[],
        failed=[_check(one) for one in failed],
        skipped=[_check(one) for one in checks if one.state is State.SKIPPED],
        passed=[_check(one) for one in passed],
    )
    return contract.EvaluationResult(RawEvaluationResult=result)


def _check(task: TaskResult) -> contract.Check:
    return contract.Check(
        CheckID=str(task.task_id), Name=task.name, Status=task.state.text, Message=task.message, Evidence=task.output
    )


def _version(number: int) -> str:
    return f"{number}.0.0"


def _path(root: str, path: str) -> str:
    return "\\".join([root, *filter(None, path.split("/"))])
