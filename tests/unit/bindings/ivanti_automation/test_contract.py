import inspect

import pytest

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.core.jobs import Invoker, Stage, WhatKind, WhoKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.states import State
from dispatcher.wire.types import DataContract

MODELS = [one for _, one in inspect.getmembers(contract, inspect.isclass) if issubclass(one, DataContract)]
MODELS.remove(DataContract)
#: What .NET has in a member that nobody set; an enumeration without it cannot be sent.
UNSET = 0


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.get_type_name())
def test_members_stand_in_ordinal_order(model: type) -> None:
    members = list(model._type_info)

    assert members == sorted(members)


@pytest.mark.parametrize(
    ("declared", "core"),
    [
        (contract.JobStatusType, State),
        (contract.JobInvoker, Invoker),
        (contract.JobStage, Stage),
        (contract.JobWhatType, WhatKind),
        (contract.JobWhoType, WhoKind),
        (contract.JobParameterType, ParameterType),
    ],
)
def test_every_number_of_the_core_has_a_name_on_the_wire(declared: type, core: type) -> None:
    assert set(declared.names) == {member.value for member in core} | {UNSET}
