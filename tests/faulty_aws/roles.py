"""Roles that not every caller may assume. The STS of moto returns credentials for any role to any caller."""

import threading
from typing import Any

from moto.core.exceptions import AccessDeniedError
from moto.sts.models import STSBackend

from monitor.simulation.stack_sets import ACCOUNT

_lock = threading.Lock()
_external_ids: dict[str, str] = {}
_refused: set[str] = set()
_assume_role = STSBackend.assume_role


def require_external_id(role_arn: str, external_id: str) -> None:
    """Allow a role to be assumed only with this external id."""
    _install()
    with _lock:
        _external_ids[role_arn] = external_id


def refuse(role_arn: str) -> None:
    """Deny every AssumeRole for a role."""
    _install()
    with _lock:
        _refused.add(role_arn)


def reset() -> None:
    """Allow every role to be assumed again."""
    with _lock:
        _external_ids.clear()
        _refused.clear()


def _install() -> None:
    """Replace moto's AssumeRole; calling it twice is harmless."""
    STSBackend.assume_role = _checked  # type: ignore[method-assign, assignment]


def _checked(self: STSBackend, **parameters: Any) -> Any:
    role_arn = parameters["role_arn"]
    with _lock:
        known = role_arn not in _external_ids or _external_ids[role_arn] == parameters.get("external_id")
        allowed = known and role_arn not in _refused
    if not allowed:
        caller = f"arn:aws:iam::{ACCOUNT}:user/simulated"
        raise AccessDeniedError(caller, f"sts:AssumeRole on resource: {role_arn}")
    return _assume_role(self, **parameters)
