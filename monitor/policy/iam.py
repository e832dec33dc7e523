"""The least IAM policies for a configuration: settings in, policy documents without secrets out.

Source of the resources and condition keys of each action: Service Authorization Reference, "Actions, resources, and
condition keys for AWS Service Catalog" and "... for AWS Security Token Service". The actions of Service Catalog
support only the resource `*`, and the condition key `servicecatalog:accountLevel`. Those of CloudFormation support
stack sets as resources.
"""

import re
from collections.abc import Sequence
from typing import Any

from monitor.config.region import partition_of
from monitor.config.settings import SourceSettings, TableSettings

# A policy document in the form of IAM, for `json.dumps`.
Policy = dict[str, Any]

# The actions of a poll.
READ = tuple(
    f"servicecatalog:{name}"
    for name in ("DescribeProvisionedProduct", "DescribeRecord", "ListStackInstancesForProvisionedProduct")
)
# The actions of `details`. Service Catalog names its stack sets SC-ACCOUNT-PRODUCT.
DETAILS = tuple(
    f"cloudformation:{name}"
    for name in ("DescribeStackSet", "DescribeStackSetOperation", "ListStackInstances", "ListStackSetOperations")
)
_STACK_SETS = "arn:{}:cloudformation:*:*:stackset/SC-*"
# The action of `discover`, and of `details`, which looks up the stack set of a product.
FIND = ("servicecatalog:SearchProvisionedProducts",)
# The actions of a table: TransactWriteItems needs those of the writes in it.
TABLE = tuple(f"dynamodb:{name}" for name in ("DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"))
ASSUME_ROLE = "sts:AssumeRole"
TAG_SESSION = "sts:TagSession"
# Placeholder of the external ID in a trust policy; `envsubst` replaces it.
EXTERNAL_ID = "${EXTERNAL_ID}"

PRINCIPAL = r"arn:aws(-[a-z]+)*:iam::[0-9]{12}:(root|(role|user)/([!-#%-)+->@-~]{1,510}/)?[A-Za-z0-9_+=,.@-]{1,64})"
_SESSION = r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([A-Za-z0-9_+=,.@-]{1,64})/.*"


def own_policy(
    sources: Sequence[SourceSettings],
    profile: str | None = None,
    *,
    session_tags: bool = False,
    table: TableSettings | None = None,
) -> Policy:
    """Return the policy of the identity of an AWS profile, or of the environment: to read sources and assume roles.

    `session_tags`: its credentials carry tags that it passes to the roles (EKS Pod Identity). `table` holds the state.
    """
    own = [source for source in sources if source.profile == profile]
    statements = _reading([source for source in own if source.role_arn is None])
    if roles := sorted({source.role_arn for source in own if source.role_arn is not None}):
        statements.append(
            {"Sid": "AssumeRoles", "Effect": "Allow", "Action": _assuming(session_tags=session_tags), "Resource": roles}
        )
    if table is not None and profile is None:
        statements.append({"Sid": "KeepState", "Effect": "Allow", "Action": list(TABLE), "Resource": _table_arn(table)})
    return _policy(statements)


def role_policy(sources: Sequence[SourceSettings], role_arn: str) -> Policy:
    """Return the policy of a role, for all sources that it reads."""
    return _policy(_reading([source for source in sources if source.role_arn == role_arn]))


def trust_policy(
    sources: Sequence[SourceSettings],
    role_arn: str,
    principal: object,
    external_id: object = EXTERNAL_ID,
    *,
    session_tags: bool = False,
) -> Policy:
    """Return the trust policy of a role. It requires `external_id` if the configuration has an external ID."""
    statement: Policy = {
        "Sid": "StacksetMonitor",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": _assuming(session_tags=session_tags),
    }
    if any(source.has_external_id for source in sources if source.role_arn == role_arn):
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return _policy([statement])


def checked_principal(text: str) -> str:
    """Return the ARN of an identity that a trust policy can name; raise `ValueError` for anything else."""
    if re.fullmatch(PRINCIPAL, text):
        return text
    if session := re.fullmatch(_SESSION, text):
        partition, account, role = session.groups()
        message = f"is a session of a role; write the role itself: arn:{partition}:iam::{account}:role/{role}"
        raise ValueError(message)
    message = "is not the ARN of an IAM role, user or account, like arn:aws:iam::111122223333:role/stackset-monitor"
    raise ValueError(message)


def partition(arn: str) -> str:
    """Return the partition of an ARN, like `aws` or `aws-cn`."""
    return arn.split(":")[1]


def _reading(sources: Sequence[SourceSettings]) -> list[Policy]:
    """Return the statements of one identity that reads all of these sources."""
    finding = [source for source in sources if source.discover is not None or source.details]
    statements: list[Policy] = [
        {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": "*", "Condition": _within(called_at)}
        for sid, actions, called_at in (("ReadStackInstances", READ, sources), ("FindProducts", FIND, finding))
        if called_at
    ]
    if detailed := [source for source in sources if source.details]:
        partitions = {partition_of(source.region or "") or "aws" for source in detailed}
        resources = [_STACK_SETS.format(name) for name in sorted(partitions)]
        statements.append({"Sid": "ReadDetails", "Effect": "Allow", "Action": list(DETAILS), "Resource": resources})
    return statements


def _within(sources: Sequence[SourceSettings]) -> Policy:
    """Return the conditions: products of the account itself, in the Regions of the sources if all are known."""
    equals: Policy = {"servicecatalog:accountLevel": "self"}
    regions = {source.region for source in sources}
    if None not in regions:
        equals["aws:RequestedRegion"] = sorted(region for region in regions if region is not None)
    return {"StringEquals": equals}


def _table_arn(table: TableSettings) -> str:
    # The configuration does not say the account. A name stands for a table of the account of the caller.
    region = table.region or "*"
    return f"arn:{partition_of(region) or 'aws'}:dynamodb:{region}:*:table/{table.table}"


def _assuming(*, session_tags: bool) -> list[str]:
    return [ASSUME_ROLE, TAG_SESSION] if session_tags else [ASSUME_ROLE]


def _policy(statements: list[Policy]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}
