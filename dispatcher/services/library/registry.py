"""Registry: which sections a library file may have, in the order in which they are exported."""

from __future__ import annotations

from dispatcher.services.library.credential_sets import CredentialSetSection
from dispatcher.services.library.modules import ModuleSection
from dispatcher.services.library.projects import ProjectSection
from dispatcher.services.library.resources import ResourceSection
from dispatcher.services.library.runbooks import RunBookSection
from dispatcher.services.library.sections import Section
from dispatcher.services.library.topology import AgentSection, TeamSection

_SECTIONS: dict[str, Section] = {}


def register(section: Section) -> None:
    """Make *section* a part of the format. A dialect with objects of its own calls this once, when it is loaded."""
    _SECTIONS[section.name] = section


def sections() -> dict[str, Section]:
    """Return the sections by their keys, in order: each may refer to those before it, and to agents and teams."""
    return dict(_SECTIONS)


for _section in (
    ResourceSection(),
    ModuleSection(),
    ProjectSection(),
    RunBookSection(),
    AgentSection(),
    TeamSection(),
    CredentialSetSection(),
):
    register(_section)
