"""What operators decide about a run, as messages to it: retry with corrections, roll back. Whose run it is, is not
known here; the run's validators have the last word, since a row may lag behind by a moment."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from temporalio.client import WorkflowHandle

from api.envelope import request_id
from api.errors import ApiError
from api.schemas import Retry, Rollback
from api.services import Principal
from domain.errors import ErrorCode
from domain.provisioning import RetryRequest, RollbackRequest
from domain.starting import RPC_TIMEOUT
from domain.steps import BY_NAME

# Names of the workflows' updates (workflows/_decisions.py).
RETRY_UPDATE = "retry_step"
ROLLBACK_UPDATE = "roll_back"

Handle = WorkflowHandle[Any, Any]


def conflict(message: str) -> ApiError:
    return ApiError(ErrorCode.CONFLICT, message)


def checked_changes(asked: Retry, inputs: type[BaseModel]) -> dict[str, object]:
    """Corrections by name and type of `inputs`; which of them a parked step takes is the workflow's to say."""
    if asked.step is not None and asked.step not in BY_NAME:
        raise ApiError(ErrorCode.VALIDATION_ERROR, "step names no step of a run.", field="step")
    for name in asked.changes:
        if name not in inputs.model_fields:
            raise ApiError(
                ErrorCode.VALIDATION_ERROR, "changes holds a name that no step offers.", field=f"changes.{name[:60]}"
            )
    try:
        inputs.model_validate(asked.changes)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(["changes", *map(str, problem["loc"])])
        raise ApiError(ErrorCode.VALIDATION_ERROR, f"{field}: {problem['msg']}.", field=field) from None
    return dict(asked.changes)


async def retry_run(
    request: Request, principal: Principal, run: Handle, asked: Retry, changes: dict[str, object], key: str | None
) -> list[str]:
    """The names of the steps that are tried again."""
    message = RetryRequest(
        step=asked.step, changes=changes, operator=principal.username, request_id=request_id(request)
    )
    steps: str = await run.execute_update(
        RETRY_UPDATE, message, id=_update_id("retry", key, request), result_type=str, rpc_timeout=RPC_TIMEOUT
    )
    return [name for name in steps.split(",") if name]


async def roll_back_run(request: Request, principal: Principal, run: Handle, asked: Rollback, key: str | None) -> None:
    message = RollbackRequest(reason=asked.reason, operator=principal.username, request_id=request_id(request))
    await run.execute_update(
        ROLLBACK_UPDATE, message, id=_update_id("rollback", key, request), result_type=str, rpc_timeout=RPC_TIMEOUT
    )


def _update_id(verb: str, key: str | None, request: Request) -> str:
    """A double click, or a repeat with the same key, is one act."""
    return f"{verb}/{key or request_id(request)}"
