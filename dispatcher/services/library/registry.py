"""Registry: which sections a library file may have, in the order in which they are exported."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from dispatcher.services.library.credential_sets import CredentialSetSection
from dispatcher.services.library.modules import ModuleSection
from dispatcher.services.library.projects import ProjectSection
from dispatcher.services.library.resources import ResourceSection
from dispatcher.services.library.runbooks import RunBookSection
from dispatcher.services.library.sections import Section
from dispatcher.services.library.topology import AgentSection, TeamSection

_SECTIONS: dict[str, Section] = {}
#: Where dialects have sections of their own, as ``SECTIONS``. Loaded when they are asked for first: a dialect needs the
#: library, which must not need a dialect, and no dialect another one.
_OF_DIALECTS = (
    "dispatcher.services.exastro_ita.library_sections",
    "dispatcher.services.ivanti_endpoint_security.library_sections",
)


def register(section: Section) -> None:
    """Make *section* a part of the format."""
    _SECTIONS[section.name] = section


def sections() -> dict[str, Section]:
    """Return the sections by their keys, in order: each may refer to those before it, and to agents and teams."""
    return _SECTIONS | _of_dialects()


@cache
def _of_dialects() -> dict[str, Section]:
    return {section.name: section for name in _OF_DIALECTS for section in import_module(name).SECTIONS}


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
