"""A check of ours for schemathesis: what fits the description of a call may break a rule, but never the call's form."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, GenerationMode, Response


@schemathesis.check
def form_of_valid_data_is_accepted(_ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Of data that are described as valid no fault is one of form."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or response.status_code != 400:
        return
    told = response.json()
    faults = [fault for fault in told["data"] if fault.get("code", told["message"]) == "VALIDATION_ERROR"]
    assert not faults, f"valid data were refused for their form: {faults}"
