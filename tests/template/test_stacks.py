"""The CloudFormation template of a configuration, as moto creates a stack of it in each account."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from monitor.config.load import load_settings
from monitor.config.settings import SourceSettings, TableSettings
from monitor.config.yaml_text import yaml_text
from monitor.policy.iam import own_policy, role_policy
from monitor.policy.resources import EVENTS
from monitor.policy.template import Needs, accounts, template

GOOD = Path(__file__).parents[1] / "config" / "data" / "good"
SOURCES = load_settings(GOOD / "roles.yaml").sources
MONITOR, HUB, SPOKE = "777788889999", "111122223333", "444455556666"
PRINCIPAL = f"arn:aws:iam::{MONITOR}:role/the-monitor"
EXTERNAL_ID = "Role111122223333StacksetMonitorExternalId"
PARAMETERS = {"MonitorPrincipal": PRINCIPAL, EXTERNAL_ID: "agreed"}
QUEUE = f"https://sqs.eu-west-1.amazonaws.com/{HUB}/stackset-monitor"
EVERYTHING = Needs(SOURCES, TableSettings("state", "eu-central-1"), {"hub": QUEUE})


@pytest.fixture(autouse=True)
def simulated_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answer every call by moto."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    with mock_aws():
        yield


def account_session(account: str, region: str) -> boto3.Session:
    """Return a session in an account of moto."""
    sts = boto3.client("sts", region_name=region)
    role = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/deployer", RoleSessionName="deployer")
    keys = role["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=region)


def create(needs: Needs, account: str, region: str = "eu-west-1", **parameters: str) -> tuple[boto3.Session, set[str]]:
    """Create a stack in an account and Region; return a session there and the logical IDs of its resources."""
    session = account_session(account, region)
    made = template(needs)
    client: Any = session.client("cloudformation")
    values = {**PARAMETERS, **parameters}
    client.create_stack(
        StackName="stackset-monitor",
        TemplateBody=yaml_text(made),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[
            {"ParameterKey": name, "ParameterValue": values[name]} for name in made["Parameters"] if name in values
        ],
    )
    resources = client.describe_stack_resources(StackName="stackset-monitor")["StackResources"]
    # moto lists a resource whose condition does not hold without its names.
    return session, {resource["LogicalResourceId"] for resource in resources if "LogicalResourceId" in resource}


def permissions(iam: Any) -> Any:
    """Return the policy of the role `stackset-monitor`, which moto returns as the text of a Python dictionary."""
    document = iam.get_role_policy(RoleName="stackset-monitor", PolicyName="stackset-monitor")["PolicyDocument"]
    return yaml.safe_load(document) if isinstance(document, str) else document


def test_the_template_is_the_printed_yaml() -> None:
    """It is read back as it was, and contains no anchors and no secret."""
    text = yaml_text(template(EVERYTHING))
    assert yaml.safe_load(text) == json.loads(json.dumps(template(EVERYTHING)))
    assert "&" not in text
    assert "not-to-be-shown" not in text


def test_the_role_of_another_account() -> None:
    """It trusts the monitor with the external ID and has the permissions of its sources, in its own account only."""
    session, resources = create(Needs(SOURCES), HUB)
    assert resources == {"Role111122223333StacksetMonitor"}
    iam: Any = session.client("iam")
    role = iam.get_role(RoleName="stackset-monitor")["Role"]
    assert role["Arn"] == SOURCES[1].role_arn
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"AWS": PRINCIPAL}, ["sts:AssumeRole"])
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "agreed"}}
    assert permissions(iam) == role_policy(SOURCES, str(SOURCES[1].role_arn))


def test_a_role_with_a_path() -> None:
    """Its ARN is the one that the configuration names; without an external ID there is no condition."""
    session, resources = create(Needs(SOURCES), SPOKE)
    assert len(resources) == 1
    role = session.client("iam").get_role(RoleName="stackset-monitor")["Role"]
    assert role["Arn"] == SOURCES[3].role_arn
    assert "Condition" not in role["AssumeRolePolicyDocument"]["Statement"][0]


def test_a_role_is_created_in_one_region() -> None:
    """A second stack of the account, for a queue in another Region for example, would create its name again."""
    assert create(Needs(SOURCES), HUB, "us-east-1")[1] == set()
    assert accounts(Needs(SOURCES)) == {HUB: ["eu-west-1"], SPOKE: []}


def test_the_policy_of_the_monitor() -> None:
    """It is in the account of the principal, and is attached to a role on request."""
    session, resources = create(Needs(SOURCES), MONITOR)
    assert resources == {"MonitorPolicy"}
    iam: Any = session.client("iam")
    (policy,) = iam.list_policies(Scope="Local")["Policies"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
    assert version["PolicyVersion"]["Document"] == own_policy(SOURCES)
    assert policy["AttachmentCount"] == 0


def test_the_policy_is_attached_to_a_role_that_exists() -> None:
    """The role of IRSA or EKS Pod Identity is created elsewhere."""
    iam: Any = account_session(MONITOR, "eu-west-1").client("iam")
    iam.create_role(RoleName="the-monitor", AssumeRolePolicyDocument="{}")
    create(Needs(SOURCES), MONITOR, MonitorRoleName="the-monitor")
    assert len(iam.list_attached_role_policies(RoleName="the-monitor")["AttachedPolicies"]) == 1


def test_without_roles_there_is_one_policy_and_no_principal() -> None:
    """One account needs no parameters."""
    needs = Needs(load_settings(GOOD / "least.yaml").sources)
    assert set(template(needs)["Parameters"]) == {"MonitorRoleName"}
    assert create(needs, MONITOR)[1] == {"MonitorPolicy"}
    assert accounts(needs) == {}


def test_profiles_are_identities_of_their_own() -> None:
    """Each has a policy, and the roles that it assumes trust it."""
    role = f"arn:aws:iam::{HUB}:role/reader"
    sources = [
        SourceSettings("a", "eu-west-1", 10, 20, "en", role_arn=role, profile="one"),
        SourceSettings("b", "eu-west-1", 10, 20, "en", role_arn=role, profile="two words"),
    ]
    made = template(Needs(sources, session_tags=True))
    identities = [name for name in made["Resources"] if made["Resources"][name]["Type"] == "AWS::IAM::ManagedPolicy"]
    assert identities[0] == "ProfileOnePolicy"
    assert len(identities) == 2
    trust = made["Resources"][f"Role{HUB}Reader"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    principals = [name.replace("Policy", "Principal") for name in identities]
    assert trust["Principal"] == {"AWS": [{"Ref": name} for name in principals]}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert set(principals) <= set(made["Parameters"])


def test_the_table_of_the_state() -> None:
    """It is in the account of the monitor and its Region, with the keys of the store, and survives the stack."""
    assert "StateTable" not in create(EVERYTHING, MONITOR, "eu-west-1")[1]
    session, resources = create(EVERYTHING, MONITOR, "eu-central-1")
    assert resources == {"MonitorPolicy", "StateTable"}
    client: Any = session.client("dynamodb")
    table = client.describe_table(TableName="state")["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    resource = template(EVERYTHING)["Resources"]["StateTable"]
    assert resource["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert resource["DeletionPolicy"] == "Retain"
    statement = template(EVERYTHING)["Resources"]["MonitorPolicy"]["Properties"]["PolicyDocument"]["Statement"][-1]
    assert (statement["Sid"], "dynamodb:PutItem" in statement["Action"]) == ("KeepState", True)


def test_the_table_is_used_by_the_environment_if_every_source_has_a_profile() -> None:
    """No profile has the permissions for the table: its client takes the credentials of the environment."""
    source = SourceSettings("a", "eu-west-1", 10, 20, "en", profile="one")
    resources = template(Needs([source], TableSettings("state", "eu-west-1")))["Resources"]
    statements = {
        name: [one["Sid"] for one in resources[f"{name}Policy"]["Properties"]["PolicyDocument"]["Statement"]]
        for name in ("Monitor", "ProfileOne")
    }
    assert statements == {"Monitor": ["KeepState"], "ProfileOne": ["ReadStackInstances"]}


@pytest.mark.filterwarnings("ignore:Tried to parse AWS..SQS..QueuePolicy")  # the one resource that moto lacks
@pytest.mark.parametrize("detail_type", EVENTS)
def test_events_of_service_catalog_reach_the_queue(detail_type: str) -> None:
    """Those of other stack sets do not. The role may read the queue."""
    session, resources = create(EVERYTHING, HUB)
    assert {"HintsHubQueue", "HintsHubRule"} < resources
    stack_set = f"arn:aws:cloudformation:eu-west-1:{HUB}:stackset/"
    details = [{"stack-set-arn": f"{stack_set}{name}"} for name in ("other:1", f"SC-{HUB}-pp-aaaaaaaaaaaaa:2")]
    events: Any = session.client("events")
    events.put_events(
        Entries=[
            {"Source": "aws.cloudformation", "DetailType": detail_type, "Detail": json.dumps(one)} for one in details
        ]
    )
    sqs: Any = session.client("sqs")
    url = sqs.get_queue_url(QueueName="stackset-monitor")["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["detail"] for message in messages] == details[1:]
    iam: Any = session.client("iam")
    assert permissions(iam)["Statement"][-1]["Resource"] == [f"arn:aws:sqs:eu-west-1:{HUB}:stackset-monitor"]


def test_the_queue_takes_messages_of_its_rule_only() -> None:
    """EventBridge may send them, from this rule, and every call must use TLS. SQS encrypts them."""
    resources = template(EVERYTHING)["Resources"]
    allow, deny = resources["HintsHubQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["HintsHubRule", "Arn"]}}}
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    queue = resources["HintsHubQueue"]["Properties"]
    assert (queue["SqsManagedSseEnabled"], "KmsMasterKeyId" in queue) == (True, False)


def test_an_external_id_is_a_parameter_without_default_and_echo() -> None:
    """A stack without it would have a role that the monitor cannot assume; AWS shows it to no one."""
    parameter = template(Needs(SOURCES))["Parameters"][EXTERNAL_ID]
    assert (parameter["NoEcho"], parameter["MinLength"], "Default" in parameter) == (True, 2, False)
