"""The least IAM policies for a configuration. Pure: settings in, policy documents out, and no secret in them.

Which action takes which resource and condition key: Service Authorization Reference, "Actions, resources, and
condition keys for AWS Service Catalog" and "... for AWS Security Token Service". The three actions of Service Catalog
take no resource but `*`; all of them take `servicecatalog:accountLevel`.
"""

import re
from collections.abc import Sequence
from typing import Any

from monitor.config.settings import SourceSettings

Policy = dict[str, Any]
"""A policy document as IAM takes it, for `json.dumps`."""

READ = ("servicecatalog:DescribeProvisionedProduct", "servicecatalog:ListStackInstancesForProvisionedProduct")
"""What a poll calls."""
FIND = ("servicecatalog:SearchProvisionedProducts",)
"""What `discover` calls."""
ASSUME_ROLE = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
EXTERNAL_ID = "${EXTERNAL_ID}"
"""Stands in a trust policy where the external id belongs; `envsubst` puts it there."""

_PRINCIPAL = r"arn:aws(-[a-z]+)*:iam::[0-9]{12}:(root|(role|user)/([!-#%-)+->@-~]{1,510}/)?[A-Za-z0-9_+=,.@-]{1,64})"
_SESSION = r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([A-Za-z0-9_+=,.@-]{1,64})/.*"


def own_policy(sources: Sequence[SourceSettings], *, session_tags: bool = False) -> Policy:
    """Return what the identity needs that the monitor runs as: to read, where no role is assumed, and to assume roles.

    `session_tags`: its credentials carry tags that pass on to the roles (EKS Pod Identity).
    """
    statements = _reading([source for source in sources if source.role_arn is None])
    if roles := sorted({source.role_arn for source in sources if source.role_arn is not None}):
        statements.append(
            {"Sid": "AssumeRoles", "Effect": "Allow", "Action": _assuming(session_tags=session_tags), "Resource": roles}
        )
    return _policy(statements)


def role_policy(sources: Sequence[SourceSettings], role_arn: str) -> Policy:
    """Return what a role needs, for all sources that are read by it."""
    return _policy(_reading([source for source in sources if source.role_arn == role_arn]))


def trust_policy(
    sources: Sequence[SourceSettings], role_arn: str, principal: str, *, session_tags: bool = False
) -> Policy:
    """Return who may assume a role. Where an external id is configured it is asked for, as `EXTERNAL_ID`."""
    statement: Policy = {
        "Sid": "StacksetMonitor",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": _assuming(session_tags=session_tags),
    }
    if any(source.has_external_id for source in sources if source.role_arn == role_arn):
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    return _policy([statement])


def checked_principal(text: str) -> str:
    """Return the ARN of an identity that may be trusted; raise `ValueError` where it is none."""
    if re.fullmatch(_PRINCIPAL, text):
        return text
    if session := re.fullmatch(_SESSION, text):
        partition, account, role = session.groups()
        message = f"is a session of a role: write the role itself, as arn:{partition}:iam::{account}:role/{role}"
        raise ValueError(message)
    message = "is not the ARN of an IAM role, a user or an account, as arn:aws:iam::111122223333:role/stackset-monitor"
    raise ValueError(message)


def partition(arn: str) -> str:
    """Return the partition of an ARN: aws, aws-cn, ..."""
    return arn.split(":")[1]


def _reading(sources: Sequence[SourceSettings]) -> list[Policy]:
    """Return the statements of one identity that reads all these sources."""
    finding = [source for source in sources if source.discover is not None]
    return [
        {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": "*", "Condition": _within(called_at)}
        for sid, actions, called_at in (("ReadStackInstances", READ, sources), ("FindProducts", FIND, finding))
        if called_at
    ]


def _within(sources: Sequence[SourceSettings]) -> Policy:
    """Limit an action to the account's own products, and to the Regions where all of them are configured."""
    equals: Policy = {"servicecatalog:accountLevel": "self"}
    regions = {source.region for source in sources}
    if None not in regions:
        equals["aws:RequestedRegion"] = sorted(region for region in regions if region is not None)
    return {"StringEquals": equals}


def _assuming(*, session_tags: bool) -> list[str]:
    return [ASSUME_ROLE, TAG_SESSION] if session_tags else [ASSUME_ROLE]


def _policy(statements: list[Policy]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}
