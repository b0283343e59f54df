"""The messages: names in any letter case, each once; choices in any letter case; words of searches."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.bindings.symantec_ccs import contract
from dispatcher.bindings.symantec_ccs.contract import MAX_NAMED, JobOperation, NewJob, Operation

DETAILS: dict[str, Any] = {"JobName": "J", "Standards": ["s"], "AssetsResolutionInfo": [{"Id": "a"}]}


@pytest.mark.parametrize("name", ["Operation", "OPERATION", "OperationType", "operation type"])
@pytest.mark.parametrize("value", ["execute", "EXECUTE", " Execute\r\n"])
def test_names_and_choices_count_in_any_letter_case(name: str, value: str) -> None:
    assert JobOperation.model_validate({name: value}).Operation is Operation.EXECUTE


@pytest.mark.parametrize("value", ["", "stop", None, 1, [], "exe cute"])
def test_what_is_no_choice(value: object) -> None:
    with pytest.raises(ValidationError):
        JobOperation.model_validate({"Operation": value})


@pytest.mark.parametrize(
    "members",
    [{"operation": "execute", "Operation": "abort"}, {"Operation": "execute", "OperationType": "execute"}],
)
def test_a_member_is_there_once(members: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="twice"):
        JobOperation.model_validate(members)


@pytest.mark.parametrize("member", ["JobName", "Standards", "AssetsResolutionInfo"])
@pytest.mark.parametrize("value", [None, "", []])
def test_a_new_job_has_what_it_needs(member: str, value: object) -> None:
    with pytest.raises(ValidationError):
        NewJob.model_validate({"JobDetails": {**DETAILS, member: value}, "JobType": "CollectionJob"})
    with pytest.raises(ValidationError):
        without = {name: one for name, one in DETAILS.items() if name != member}
        NewJob.model_validate({"JobDetails": without, "JobType": "CollectionJob"})


@pytest.mark.parametrize("member", ["Standards", "AssetsResolutionInfo"])
def test_a_job_names_no_more_than_it_may(member: str) -> None:
    for model in (contract.NewJobDetails, contract.ChangedJobDetails):
        model.model_validate({**DETAILS, member: DETAILS[member] * MAX_NAMED})
        with pytest.raises(ValidationError):
            model.model_validate({**DETAILS, member: DETAILS[member] * (MAX_NAMED + 1)})


def test_words_without_a_value_are_left_out_but_for_a_name() -> None:
    words = contract.JobSearch.words_of("jobname=&page=&pagesize=5&Attributes=")
    assert words == {"jobname": "", "pagesize": "5"}
    search = contract.JobSearch.model_validate(words)
    assert (search.jobname, search.page, search.pagesize, search.Attributes) == ("", 0, 5, "")
