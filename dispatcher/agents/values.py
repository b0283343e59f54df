"""Values: parameters as the agent protocol carries them, and back."""

from __future__ import annotations

from dispatcher.agents.protocol import Value
from dispatcher.core.parameters import Parameter, ParameterType


def to_value(parameter: Parameter) -> Value:
    """Return *parameter* as the protocol has it, secrets open."""
    return Value(
        name=parameter.name,
        value=parameter.value1,
        password=parameter.value2 if parameter.type is ParameterType.CREDENTIALS else None,
        type=parameter.type,
        choices=parameter.choices,
        is_output=parameter.is_output,
    )


def to_parameter(value: Value) -> Parameter:
    """Return the parameter that *value* is one of."""
    is_credentials = value.type is ParameterType.CREDENTIALS
    return Parameter(
        value.name,
        value.type,
        value.value,
        (value.password or "") if is_credentials else ";".join(value.choices),
        is_output=value.is_output,
    )
