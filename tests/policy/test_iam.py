"""The policies of the good configuration files allow exactly the calls that are made."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from monitor.aws.source import operations
from monitor.config.load import load_settings
from monitor.config.settings import SourceSettings, TableSettings
from monitor.policy.iam import checked_principal, own_policy, role_policy, trust_policy

GOOD = Path(__file__).parents[1] / "config" / "data" / "good"
MONITOR = "arn:aws:iam::777788889999:role/stackset-monitor"
HUB = "arn:aws:iam::111122223333:role/stackset-monitor"
SPOKE = "arn:aws:iam::444455556666:role/a/path-(of!sorts)/stackset-monitor"


def sources(name: str) -> tuple[SourceSettings, ...]:
    """Return the sources of a good configuration file."""
    return load_settings(GOOD / f"{name}.yaml").sources


def reading(*regions: str) -> dict[str, Any]:
    """Return the statement that lets an identity poll, in some Regions or in all."""
    return {
        "Sid": "ReadStackInstances",
        "Effect": "Allow",
        "Action": [
            "servicecatalog:DescribeProvisionedProduct",
            "servicecatalog:DescribeRecord",
            "servicecatalog:ListStackInstancesForProvisionedProduct",
        ],
        "Resource": "*",
        "Condition": condition(*regions),
    }


def finding(*regions: str) -> dict[str, Any]:
    """Return the statement that lets an identity discover products."""
    return {
        "Sid": "FindProducts",
        "Effect": "Allow",
        "Action": ["servicecatalog:SearchProvisionedProducts"],
        "Resource": "*",
        "Condition": condition(*regions),
    }


def assuming(*roles: str, actions: tuple[str, ...] = ("sts:AssumeRole",)) -> dict[str, Any]:
    """Return the statement that lets an identity assume roles."""
    return {"Sid": "AssumeRoles", "Effect": "Allow", "Action": list(actions), "Resource": list(roles)}


def condition(*regions: str) -> dict[str, Any]:
    """Return the condition of a statement."""
    where = {"aws:RequestedRegion": list(regions)} if regions else {}
    return {"StringEquals": {"servicecatalog:accountLevel": "self", **where}}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def test_ambient_credentials_read_in_every_region_that_may_be_theirs() -> None:
    """Without a Region in the file, the policy is for all Regions, without search and roles."""
    assert own_policy(sources("least")) == policy(reading())


def test_the_table_of_the_state_is_read_and_written() -> None:
    """By the identity of the monitor itself, in the partition of its Region; not by that of a profile."""
    china = own_policy(sources("least"), table=TableSettings("state", "cn-north-1"))["Statement"][-1]
    assert china["Resource"] == "arn:aws-cn:dynamodb:cn-north-1:*:table/state"
    assert china["Action"] == [f"dynamodb:{name}Item" for name in ("Delete", "Get", "Put")] + [
        "dynamodb:Query",
        "dynamodb:UpdateItem",
    ]
    anywhere = own_policy(sources("least"), table=TableSettings("state"))["Statement"][-1]
    assert anywhere["Resource"] == "arn:aws:dynamodb:*:*:table/state"
    assert own_policy(sources("least"), "hub", table=TableSettings("state")) == policy()


def test_a_region_that_is_known_is_the_only_one() -> None:
    """One source without a Region removes the limit to Regions from the policy of its identity."""
    here, there = SourceSettings("a", "eu-west-1", 10, 20, "en"), SourceSettings("b", "eu-central-1", 10, 20, "en")
    assert own_policy([here, there]) == policy(reading("eu-central-1", "eu-west-1"))
    assert own_policy([here, there, *sources("least")]) == policy(reading())


def test_several_sources_need_one_policy_for_each_identity() -> None:
    """The own policy reads the sources without a role and names each role once; a role reads all of its sources."""
    several = sources("roles")
    assert own_policy(several) == policy(reading("eu-west-1"), assuming(HUB, SPOKE))
    assert role_policy(several, HUB) == policy(reading("eu-west-1", "us-east-1"), finding("eu-west-1"))
    assert role_policy(several, SPOKE) == policy(reading())


def test_discovery_alone_needs_the_search() -> None:
    """A role in China keeps its partition; the own identity can only assume it."""
    (hub,) = china = sources("discovered")
    assert hub.role_arn == "arn:aws-cn:iam::111122223333:role/stackset-monitor"
    assert own_policy(china) == policy(assuming(hub.role_arn))
    assert role_policy(china, hub.role_arn) == policy(reading("cn-north-1"), finding("cn-north-1"))


def test_details_need_four_operations_of_cloudformation() -> None:
    """Only on stack sets of Service Catalog, in the partitions of the sources; the search finds the stack set."""
    (plain, *_) = sources("least")
    detailed = replace(plain, details=True, region="cn-north-1")
    statements = own_policy([plain, detailed])["Statement"]
    assert statements == [
        reading(),
        finding("cn-north-1"),
        {
            "Sid": "ReadDetails",
            "Effect": "Allow",
            "Action": [
                "cloudformation:DescribeStackSet",
                "cloudformation:DescribeStackSetOperation",
                "cloudformation:ListStackInstances",
                "cloudformation:ListStackSetOperations",
            ],
            "Resource": ["arn:aws-cn:cloudformation:*:*:stackset/SC-*"],
        },
    ]


def test_a_role_of_the_government_cloud_keeps_its_partition() -> None:
    """The identity of the profile assumes it; that of the environment reads the other source."""
    hub, _ = government = sources("whole")
    assert hub.role_arn == "arn:aws-us-gov:iam::111122223333:role/monitoring/stackset-monitor"
    assert own_policy(government) == policy(reading())
    assert own_policy(government, "hub") == policy(assuming(hub.role_arn))
    assert role_policy(government, hub.role_arn) == policy(reading("us-gov-west-1"), finding("us-gov-west-1"))


def test_a_role_asks_for_the_external_id_where_there_is_one() -> None:
    """The external ID is a secret: the policy has a placeholder."""
    asked = trust_policy(sources("roles"), HUB, MONITOR)
    assert asked["Statement"] == [
        {
            "Sid": "StacksetMonitor",
            "Effect": "Allow",
            "Principal": {"AWS": MONITOR},
            "Action": ["sts:AssumeRole"],
            "Condition": {"StringEquals": {"sts:ExternalId": "${EXTERNAL_ID}"}},
        }
    ]
    (statement,) = trust_policy(sources("roles"), SPOKE, MONITOR)["Statement"]
    assert "Condition" not in statement
    by_file = [replace(source, external_id=None, external_id_file=Path("id.txt")) for source in sources("roles")]
    assert trust_policy(by_file, HUB, MONITOR) == asked


@pytest.mark.parametrize("name", ["least", "roles"])
def test_iam_takes_the_documents(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto, which checks the grammar of policies, accepts them."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    several = sources(name)
    with mock_aws():
        iam = boto3.client("iam", region_name="us-east-1")
        trust = json.dumps(trust_policy(several, HUB, MONITOR, session_tags=True))
        iam.create_role(RoleName="stackset-monitor", AssumeRolePolicyDocument=trust)
        iam.update_assume_role_policy(RoleName="stackset-monitor", PolicyDocument=trust)
        for document in (own_policy(several), role_policy(several, HUB) if name == "roles" else own_policy(several)):
            iam.put_role_policy(
                RoleName="stackset-monitor", PolicyName="stackset-monitor", PolicyDocument=json.dumps(document)
            )


def test_session_tags_are_allowed_only_on_request() -> None:
    """Both the own policy and the trust policy must allow session tags."""
    both = ("sts:AssumeRole", "sts:TagSession")
    several = sources("roles")
    tagged = own_policy(several, session_tags=True)
    assert tagged == policy(reading("eu-west-1"), assuming(HUB, SPOKE, actions=both))
    assert trust_policy(several, HUB, MONITOR, session_tags=True)["Statement"][0]["Action"] == list(both)


@pytest.mark.parametrize("name", sorted(path.stem for path in GOOD.iterdir()))
def test_exactly_the_calls_are_allowed(name: str) -> None:
    """The actions of all policies of a configuration are the operations that its sources call."""
    everywhere = sources(name)
    roles = {source.role_arn for source in everywhere if source.role_arn is not None}
    profiles = {source.profile for source in everywhere}
    policies = [
        *(own_policy(everywhere, profile) for profile in profiles),
        *(role_policy(everywhere, role) for role in roles),
    ]
    statements = [statement for document in policies for statement in document["Statement"]]
    allowed = {action.partition(":")[2] for statement in statements for action in statement["Action"]}
    assert allowed == {operation for source in everywhere for operation in operations(source)}
    assert all(statement["Resource"] and statement["Effect"] == "Allow" for statement in statements)


def test_no_policy_shows_the_external_id() -> None:
    """No document contains the external ID."""
    several = sources("roles")
    documents = [own_policy(several), role_policy(several, HUB), trust_policy(several, HUB, MONITOR)]
    assert [source.external_id for source in several[1:3]] == ["not-to-be-shown"] * 2
    assert "not-to-be-shown" not in json.dumps(documents)


@pytest.mark.parametrize(
    "arn",
    [
        MONITOR,
        SPOKE,
        "arn:aws:iam::777788889999:root",
        "arn:aws:iam::777788889999:user/monitor",
        "arn:aws-cn:iam::777788889999:role/service/monitor",
    ],
)
def test_identities_may_be_trusted(arn: str) -> None:
    """Roles, users and whole accounts of any partition are accepted."""
    assert checked_principal(arn) == arn


NO_PRINCIPAL = "is not the ARN of an IAM role, user or account, like arn:aws:iam::111122223333:role/stackset-monitor"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*", NO_PRINCIPAL),
        ("777788889999", NO_PRINCIPAL),
        ("arn:aws:iam::777788889999:role/*", NO_PRINCIPAL),
        ("arn:aws:iam::777788889999:policy/monitor", NO_PRINCIPAL),
        (
            "arn:aws-cn:sts::777788889999:assumed-role/monitor/session",
            "is a session of a role; write the role itself: arn:aws-cn:iam::777788889999:role/monitor",
        ),
    ],
)
def test_other_principals_are_refused(text: str, message: str) -> None:
    """Everyone, patterns and sessions are refused; the message for a session names its role."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole sentence is compared
        checked_principal(text)
    assert str(caught.value) == message
