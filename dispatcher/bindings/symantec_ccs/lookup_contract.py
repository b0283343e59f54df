"""The messages of the CCS REST API about assets, asset groups, standards and results; as those in ``contract``."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from dispatcher.bindings.symantec_ccs.contract import MAX_NAMED
from dispatcher.wire.json_api.models import AnyCase, Model

_Id = Annotated[str, Field(max_length=255)]


class Asset(Model):
    """An asset in a list."""

    Id: str
    DisplayName: str
    Type: str
    Path: str


class AssetPage(Model):
    """A page of assets."""

    assetDataList: list[Asset]
    TotalPages: int
    TotalCount: int


class TypeName(Model):
    """The type of an asset."""

    Name: str
    DisplayName: str


class Attribute(Model):
    """An attribute of an asset: its value, or its values."""

    Name: str
    Value: str | None
    Values: list[str] | None
    IsMultiValued: bool


class AssetDetails(Model):
    """An asset with its attributes."""

    ID: str
    DisplayName: str
    Type: TypeName
    Path: str
    Attributes: list[Attribute]


class AssetGroup(Model):
    """An asset group."""

    Id: str
    DisplayName: str
    Description: str
    Path: str


class AssetGroupPage(Model):
    """A page of asset groups."""

    assetGroupDataList: list[AssetGroup]
    TotalPages: int
    TotalCount: int


class Standard(Model):
    """A standard."""

    Id: str
    DisplayName: str
    Description: str
    Version: str
    Author: str
    Path: str


class StandardPage(Model):
    """A page of standards."""

    standardDataList: list[Standard]
    TotalPages: int
    TotalCount: int


class ResultWanted(AnyCase):
    """Which evaluation result is wanted: without a run the latest one; without checks all of them."""

    AssetID: _Id
    StandardID: _Id
    JobRunID: str | None = None
    StandardVersion: str | None = None
    CheckIDList: list[_Id] | None = Field(None, max_length=MAX_NAMED)
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "assetid": "7ca3a38e-1e51-42ef-8b5d-88813eae0c14",
                "standardid": "6b020d29-5fe8-47d0-bd89-ccd3339a5ebe",
            }
        }
    )


class Check(Model):
    """What has become of a check."""

    CheckID: str
    Name: str = Field(serialization_alias="Check name")
    Status: str = Field(serialization_alias="Check status")
    Message: str
    Evidence: str


class ComplianceStatistics(Model):
    """How many checks there were, and how many per cent of those that count were passed."""

    at: str = Field(serialization_alias="Data collected on date")
    score: float = Field(serialization_alias="Compliance score")
    total: int = Field(serialization_alias="Total checks")


class RawEvaluationResult(Model):
    """What has become of the checks of a standard on an asset."""

    standard: str = Field(serialization_alias="Standard Name")
    version: str = Field(serialization_alias="Standard Version")
    asset: str = Field(serialization_alias="Asset Name")
    JobRunID: str
    statistics: ComplianceStatistics = Field(serialization_alias="Compliance Statistics")
    open: list[Check] = Field(serialization_alias="Checks to be manually reviewed")
    exempted: list[Check] = Field(serialization_alias="Exempted Checks")
    failed: list[Check] = Field(serialization_alias="Failed Checks")
    skipped: list[Check] = Field(serialization_alias="NotApplicable Checks")
    passed: list[Check] = Field(serialization_alias="Passed Checks")


_Result = RawEvaluationResult


class EvaluationResult(Model):
    """An evaluation result."""

    RawEvaluationResult: _Result
