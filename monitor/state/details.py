"""The details of a product as compressed JSON. The reasons of 1,000 instances need about 10 KB."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.instances import InstanceKey

_MEMBERS = tuple(field.name for field in fields(InstanceDetail))


# An item of DynamoDB has at most 400 KB. 10,000 different reasons take more; they are read again after a restart.
MAX_BYTES = 200_000


def encode_details(details: StackSetDetails) -> bytes:
    """Return the content, without the instances if they are too large. Why details could not be read is not kept."""
    content = _encode(details, details.instances)
    return content if len(content) <= MAX_BYTES else _encode(details, {})


def _encode(details: StackSetDetails, instances: Mapping[InstanceKey, InstanceDetail]) -> bytes:
    content = {
        "instances": [[*key, *(getattr(one, name) for name in _MEMBERS)] for key, one in instances.items()],
        "drift": details.drift,
        "operation": asdict(details.operation) if details.operation else None,
    }
    return zlib.compress(json.dumps(content, default=datetime.isoformat, separators=(",", ":")).encode())


def decode_details(content: object) -> StackSetDetails | None:
    """Return the details of `encode_details`; None if there is none or it cannot be read: they are read again."""
    if not isinstance(content, bytes):
        return None
    try:
        found: dict[str, Any] = json.loads(zlib.decompress(content))
        instances = {(account, region): _instance(values) for account, region, *values in found["instances"]}
        operation = found["operation"]
        return StackSetDetails(instances, found["drift"], _operation(operation) if operation else None)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError):
        return None


def _instance(values: list[Any]) -> InstanceDetail:
    return InstanceDetail(**_with_times(dict(zip(_MEMBERS, values, strict=True)), "drift_checked_at"))


def _operation(fields: dict[str, Any]) -> Operation:
    values = _with_times(fields, "started_at", "ended_at")
    values["progress"] = Progress(**values["progress"])
    values["regions"] = {region: one and Progress(**one) for region, one in values["regions"].items()}
    return Operation(**values)


def _with_times(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return fields | {name: datetime.fromisoformat(fields[name]) for name in names if fields[name] is not None}
