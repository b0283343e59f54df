"""The messages about categories and scripts, in OpsRamp's own words. Answers keep the order of declaration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dispatcher.bindings.opsramp.contract import MAX_LISTED, EntityResource
from dispatcher.wire.json_api.models import Digits, LaxText, Model


class CategoryChoice(Model):
    """A category that a caller means."""

    id: Digits


class CategoryBody(Model):
    """A category to be made or, with an ``id``, to be called by another name."""

    id: Digits | None = None
    name: LaxText
    parent: CategoryChoice | None = None


class Category(Model):
    """A category, with those in it. (``childs`` is the vendor's word.)"""

    id: int
    name: str
    childs: list[Category] | None = None


class Attachment(Model):
    """The file of a script; callers give it in base64."""

    id: int | None = None
    name: LaxText | None = None
    file: str | None = None


class RbaParameterBody(Model):
    """A parameter of a script as callers declare it."""

    name: LaxText
    description: LaxText | None = None
    defaultValue: LaxText | None = None
    type: str = "REQUIRED"
    dataType: str = "STRING"


class RbaParameter(Model):
    """A parameter of a script. The default of a password is not shown."""

    id: int
    name: str
    description: str
    defaultValue: str | None = None
    type: str
    dataType: str


class RbaScriptBody(Model):
    """A script as callers write it. In an update, what is not given stays as it is."""

    name: LaxText | None = None
    description: LaxText | None = None
    platforms: Annotated[list[str], Field(max_length=MAX_LISTED)] | None = None
    parameters: Annotated[list[RbaParameterBody], Field(max_length=MAX_LISTED)] | None = None
    executionType: str | None = None
    command: str | None = None
    attachment: Attachment | None = None
    installTimeout: Digits | None = None
    registryPath: LaxText | None = None
    registryValue: LaxText | None = None
    processName: LaxText | None = None
    serviceName: LaxText | None = None
    outputDirectory: LaxText | None = None
    outputFile: LaxText | None = None


class RbaScript(Model):
    """A script."""

    id: int
    name: str
    description: str
    category: Category
    platforms: list[str]
    parameters: list[RbaParameter]
    executionType: str
    installTimeout: int | None = None
    attachment: Attachment | None = None
    scriptVersion: str
    registryPath: str | None = None
    registryValue: str | None = None
    processName: str | None = None
    serviceName: str | None = None
    outputDirectory: str | None = None
    outputFile: str | None = None


class Task(Model):
    """The run of a script."""

    id: int
    name: str


class Owner(Model):
    """Who has let a script run."""

    loginName: str


class Output(Model):
    """What a run of a script wrote."""

    output: str
    responseDate: str
    type: str
    task: Task
    device: EntityResource | None = None
    owner: Owner
