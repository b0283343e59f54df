"""Orders: what is asked for by a job and by a deployment, with every default filled in, in this project's words."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dispatcher.tasks.discovering.order import (
    RETRY,
    TIMEOUT_MS,
    AddressTarget,
    DirectoryTarget,
    NameTarget,
    Options,
    RangeTarget,
    Target,
)
from dispatcher.tasks.notices.order import NoticeOrder

#: What orders are made of that tasks know.
__all__ = [
    "RETRY",
    "TIMEOUT_MS",
    "AddressTarget",
    "DeploymentOrder",
    "DirectoryTarget",
    "JobOrder",
    "Kind",
    "NameTarget",
    "NoticeOrder",
    "NoticeWish",
    "Options",
    "RangeTarget",
    "Target",
]


class Kind(IntEnum):
    """What a job of this dialect is; all but deployments by their numbers on the wire."""

    DEPLOYMENT = 0
    DISCOVER = 1
    INSTALL = 2
    UNINSTALL = 3


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str = ""
    starts_at: datetime  #: aware; in the past: at once


class JobOrder(_Order):
    """A job: what it discovers, and what it does to what it has found."""

    kind: Kind
    overwrite: bool = False
    username: str = ""
    password: SecretStr | None = None
    modules: tuple[str, ...] = ()  #: of ``AC``, ``AV``, ``DC`` and ``PR`` those to install; only of ``Kind.INSTALL``
    options: Options
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    #: The passwords for directories, by the place of the target. ``password_input`` of these targets is left to
    #: whoever stores the order.
    directory_passwords: dict[int, SecretStr] = {}
    agent: str = ""  #: the id or name of the agent that does it; empty: as the settings say


class NoticeWish(BaseModel):
    """A notice as it is ordered. Where the policy of the agent decides, it is asked when the deployment begins."""

    model_config = ConfigDict(frozen=True)

    notice: NoticeOrder
    by_policy: bool = False  #: the policy of the agent decides about all
    cancel_by_policy: bool = False
    snooze_by_policy: bool = True
    on_top_by_policy: bool = True
    #: Which of ``allow_cancel``, ``allow_snooze`` and ``on_top`` were given without saying anything of the policy: they
    #: hold, though by default the policy decides about the last two.
    own: frozenset[str] = frozenset()


class DeploymentOrder(_Order):
    """A deployment: what is installed on whom, and what users are told before that and before a restart."""

    patch_list: int  #: the number of the project
    packages: str = ""  #: the names of what is installed, for the text of notices, once that is known
    agents: tuple[UUID, ...] = ()
    groups: tuple[int, ...] = ()  #: the numbers of the teams
    notify: NoticeWish | None = None  #: None: nobody is told
    restart: NoticeWish | None = None  #: likewise, before a restart that is needed
