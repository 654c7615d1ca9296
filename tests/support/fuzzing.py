"""What schemathesis is taught: a check of ours, and files that are CSV. Loaded by `st`, as its hooks."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, Response

from tests.support.csv_files import a_csv, a_row

# No pictures: where a form takes a list of files of ours, schemathesis sends the list as one field without a name.
schemathesis.openapi.media_type(
    "text/csv", st.uuids().map(lambda one: a_csv(a_row(str(one), f"Location {one}"))) | st.binary()
)


@schemathesis.check
def form_of_valid_data_is_accepted(_ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Of data that are described as valid no fault is one of form."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE or response.status_code != 400:
        return
    told = response.json()
    faults = [fault for fault in told.get("data", []) if fault.get("code", told["message"]) == "VALIDATION_ERROR"]
    assert not faults, f"valid data were refused for their form: {faults}"
