"""All models in one place, so that migrations and tests see every table."""

from dispatcher.datastore.agents import Agent
from dispatcher.datastore.alerts import Alert
from dispatcher.datastore.audit import AuditEntry
from dispatcher.datastore.base import Base
from dispatcher.datastore.configurations import Configuration, ConfigurationPart, FetchedPart
from dispatcher.datastore.credential_sets import CredentialSet, CredentialUse
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.dispatchers import Dispatcher
from dispatcher.datastore.exastro_ita import (
    ItaAnswer,
    ItaDetail,
    ItaFile,
    ItaJournal,
    ItaMenu,
    ItaRecord,
    ItaRoleMenu,
    ItaRun,
    ItaUnique,
    ItaWorkspace,
)
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.found_computers import FoundComputer
from dispatcher.datastore.ivanti_endpoint_security import IesAgentPolicy, IesJob
from dispatcher.datastore.jobs import Job
from dispatcher.datastore.logins import Grant, Login, LoginRole, Role
from dispatcher.datastore.modules import Module, Task
from dispatcher.datastore.opsramp import (
    OpsRampCategory,
    OpsRampJob,
    OpsRampJobScript,
    OpsRampResource,
    OpsRampScript,
)
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.datastore.queues import QueuedRun
from dispatcher.datastore.resources import Content, ContentChunk, Resource
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.runbooks import RunBook, RunBookStep
from dispatcher.datastore.runs import OutputChunk, Run, TaskResult
from dispatcher.datastore.schedules import Occurrence, Schedule
from dispatcher.datastore.settings import Alias, Setting
from dispatcher.datastore.submits import Submit
from dispatcher.datastore.symantec_ccs import CcsJob
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.tokens import Token

__all__ = [
    "Agent",
    "Alert",
    "Alias",
    "AuditEntry",
    "Base",
    "CcsJob",
    "Configuration",
    "ConfigurationPart",
    "Content",
    "ContentChunk",
    "CredentialSet",
    "CredentialUse",
    "Definition",
    "Dispatcher",
    "FetchedPart",
    "Folder",
    "FoundComputer",
    "Grant",
    "IesAgentPolicy",
    "IesJob",
    "ItaAnswer",
    "ItaDetail",
    "ItaFile",
    "ItaJournal",
    "ItaMenu",
    "ItaRecord",
    "ItaRoleMenu",
    "ItaRun",
    "ItaUnique",
    "ItaWorkspace",
    "Job",
    "Login",
    "LoginRole",
    "Module",
    "Occurrence",
    "OpsRampCategory",
    "OpsRampJob",
    "OpsRampJobScript",
    "OpsRampResource",
    "OpsRampScript",
    "OutputChunk",
    "Parameter",
    "Project",
    "ProjectModule",
    "QueuedRun",
    "Resource",
    "Revision",
    "Role",
    "Run",
    "RunBook",
    "RunBookStep",
    "Schedule",
    "Setting",
    "Submit",
    "Task",
    "TaskResult",
    "Team",
    "TeamMember",
    "Token",
]
