"""Roles that cannot be assumed by everybody. moto's STS gives out credentials for any role, whoever asks."""

import threading
from typing import Any

from moto.core.exceptions import AccessDeniedError
from moto.sts.models import STSBackend

from monitor.simulation.stack_sets import ACCOUNT

_lock = threading.Lock()
_external_ids: dict[str, str] = {}
_refused: set[str] = set()
_assume_role = STSBackend.assume_role


def demand(role_arn: str, external_id: str) -> None:
    """Let a role be assumed only by who knows its external id."""
    with _lock:
        _external_ids[role_arn] = external_id


def refuse(role_arn: str) -> None:
    """Let nobody assume a role."""
    with _lock:
        _refused.add(role_arn)


def forget_roles() -> None:
    """Let every role be assumed again."""
    with _lock:
        _external_ids.clear()
        _refused.clear()


def guard_roles() -> None:
    """Have moto's STS ask; doing it twice does no harm."""
    STSBackend.assume_role = _guarded  # type: ignore[method-assign, assignment]


def _guarded(self: STSBackend, **parameters: Any) -> Any:
    role_arn = parameters["role_arn"]
    with _lock:
        known = role_arn not in _external_ids or _external_ids[role_arn] == parameters.get("external_id")
        allowed = known and role_arn not in _refused
    if not allowed:
        caller = f"arn:aws:iam::{ACCOUNT}:user/simulated"
        raise AccessDeniedError(caller, f"sts:AssumeRole on resource: {role_arn}")
    return _assume_role(self, **parameters)
