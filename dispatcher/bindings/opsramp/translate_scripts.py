"""Translation of scripts, categories and outputs: pure, total, in two directions."""

from __future__ import annotations

from dispatcher.bindings.opsramp import contract, script_contract
from dispatcher.bindings.opsramp.schedule import to_wire_moment
from dispatcher.bindings.opsramp.translate import to_general_info
from dispatcher.core.errors import InvalidValue
from dispatcher.services.opsramp.categories import Category
from dispatcher.services.opsramp.outputs import ScriptOutput
from dispatcher.services.opsramp.script_library import COMMAND, NewParameter, NewScript
from dispatcher.services.opsramp.scripts import Script, ScriptParameter

_REQUIRED, _OPTIONAL = "REQUIRED", "OPTIONAL"
#: What is kept of a script as it was said, and means nothing here.
_DETAILS = ("registryPath", "registryValue", "processName", "serviceName", "outputDirectory", "outputFile")


def to_script(body: script_contract.RbaScriptBody) -> NewScript:
    """Return the script that *body* describes.

    :raises InvalidValue: if a member is impossible.
    """
    attachment = body.attachment or script_contract.Attachment()
    timeout = body.installTimeout
    if timeout is not None and not 0 <= timeout <= 100_000:
        raise InvalidValue("installTimeout", "must be a number of minutes from 0 to 100000")
    details = {name: value for name in _DETAILS if (value := getattr(body, name)) is not None}
    parameters = None if body.parameters is None else [_parameter(*one) for one in enumerate(body.parameters)]
    return NewScript(
        name=body.name,
        description=body.description,
        platforms=None if body.platforms is None else [one.strip().upper() for one in body.platforms],
        execution_type=None if body.executionType is None else body.executionType.strip().upper(),
        command=body.command,
        file_name=attachment.name,
        file=attachment.file,
        parameters=parameters,
        install_timeout=timeout,
        details=details or None,
    )


def _parameter(place: int, words: script_contract.RbaParameterBody) -> NewParameter:
    kind = words.type.strip().upper()
    if kind not in (_REQUIRED, _OPTIONAL):
        raise InvalidValue(f"parameters[{place}].type", f"must be {_REQUIRED} or {_OPTIONAL}")
    return NewParameter(
        name=words.name,
        description=words.description or "",
        default=words.defaultValue,
        is_required=kind == _REQUIRED,
        data_type=words.dataType.strip().upper(),
    )


def to_wire_category(category: Category) -> script_contract.Category:
    """Return *category* with those in it."""
    children = [to_wire_category(child) for child in category.children]
    return script_contract.Category(id=category.number, name=category.name, childs=children or None)


def to_wire_script(category: Category, script: Script) -> script_contract.RbaScript:
    """Return *script*, which is in *category*."""
    known = script.details
    name = known.get("attachment")
    return script_contract.RbaScript(
        id=script.number,
        name=script.name,
        description=script.description,
        category=script_contract.Category(id=category.number, name=category.name),
        platforms=list(script.platforms),
        parameters=[_wire_parameter(parameter) for parameter in script.parameters],
        executionType=known.get("execution_type", COMMAND),
        installTimeout=known.get("install_timeout"),
        attachment=script_contract.Attachment(id=0, name=name) if name else None,
        scriptVersion=f"{known.get('version', 0)}.00",
        **{member: value for member, value in known.get("details", {}).items() if member in _DETAILS},
    )


def _wire_parameter(parameter: ScriptParameter) -> script_contract.RbaParameter:
    return script_contract.RbaParameter(
        id=parameter.number,
        name=parameter.name,
        description=parameter.description,
        defaultValue=parameter.default,
        type=_REQUIRED if parameter.is_required else _OPTIONAL,
        dataType=parameter.data_type,
    )


def to_wire_output(output: ScriptOutput) -> script_contract.Output:
    """Return what a run wrote."""
    resource = output.resource
    device = None
    if resource is not None:
        device = contract.EntityResource(
            id=str(resource.id),
            generalInfo=to_general_info(resource).model_copy(update={"osName": resource.os}),
            clientUniqueId=resource.client,
            type=resource.type,
        )
    return script_contract.Output(
        output=output.text,
        responseDate=to_wire_moment(output.ended_at),
        type="ONDEMAND" if output.on_demand else "SCHEDULED",
        task=script_contract.Task(id=output.job_number, name=output.job_name),
        device=device,
        owner=script_contract.Owner(loginName=output.login),
    )
