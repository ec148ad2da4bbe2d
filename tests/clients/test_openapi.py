"""Requests made up from `/openapi.json`: none breaks the server, and all answers are as it says.

`STACK_EXAMPLES` says how many are made up for each route.
"""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi import checks

EXAMPLES = int(os.environ.get("STACK_EXAMPLES", "5"))
TOKENS = 4
DEADLINE = "x-stack-deadline-ms"

EXCLUDED = [
    # `null` is as good as nothing, which the document does not say of every field.
    checks.negative_data_rejection,
    # What fits the document may still contradict itself, or ask for what a model cannot do.
    checks.positive_data_acceptance,
]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Keeps answers short, and whole: of the events of a stream the document says nothing. A deadline that is one is far
    away, because a 504 that the request asks for is no failure."""
    if str((case.headers or {}).get(DEADLINE, "")).isdecimal():
        case.headers[DEADLINE] = "86400000"
    body = case.body
    if not isinstance(body, dict):
        return
    if body.get("stream") is True:
        body["stream"] = False
    limit = {"/v1/chat/completions": "max_tokens", "/v1/responses": "max_output_tokens"}.get(case.path)
    if limit:
        body.setdefault(limit, TOKENS)
    shorten(body, "max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
    if case.path.startswith("/api/") and isinstance(body.setdefault("options", {}), dict):
        body["options"].setdefault("num_predict", TOKENS)
        shorten(body["options"], "num_predict")


def shorten(fields: dict, *names: str) -> None:
    for name in names:
        if isinstance(fields.get(name), int | float) and fields[name] > TOKENS:
            fields[name] = TOKENS


@pytest.mark.slow
def test_requests(server):
    document = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    failures, asked = [], 0
    for found in document.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy())
        def holds(case):
            nonlocal asked
            asked += 1
            case.call_and_validate(excluded_checks=EXCLUDED, timeout=300)

        try:
            holds()
        # What schemathesis finds comes as a group that is no `Exception`.
        except (Exception, BaseExceptionGroup) as failure:
            failures.append(f"{operation.label}: {failure}")
    assert not failures, "\n\n".join(failures)
    assert asked > 20 * EXAMPLES // 2
