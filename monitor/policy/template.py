"""One CloudFormation template for everything that a configuration needs at AWS: settings in, template out.

The same template is for every account. Its conditions compare the account and the Region of the stack, so that each
stack contains only what belongs there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from monitor.config.settings import SourceSettings, TableSettings
from monitor.policy.iam import PRINCIPAL, own_policy, role_policy, trust_policy
from monitor.policy.resources import Fragment, queue_resources, queue_statement, table_resource

OWN_ACCOUNT = "MonitorAccount"
# API of AWS STS, AssumeRole, `ExternalId`.
_EXTERNAL_ID = r"^[\w+=,.@:/-]+$"
_ROLE = re.compile(r"arn:[^:]+:iam::(?P<account>[0-9]{12}):role(?P<path>/(?:.*/)?)(?P<name>[^/]+)")
_PLAIN_NAME = re.compile("[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
_QUEUE = re.compile(r"https://[^/]+/(?P<account>[0-9]{12})/(?P<name>[A-Za-z0-9_-]{1,80})")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a configuration uses at AWS."""

    sources: Sequence[SourceSettings]
    table: TableSettings | None = None
    """The table of the state, in the account of the monitor."""
    queues: Mapping[str, str] = field(default_factory=dict)
    """The URL of the queue of the hints by source."""
    session_tags: bool = False
    """The credentials of the monitor carry tags that it passes to the roles (EKS Pod Identity)."""


@dataclass(slots=True)
class _Template:
    parameters: Fragment = field(default_factory=dict)
    conditions: Fragment = field(default_factory=dict)
    resources: Fragment = field(default_factory=dict)
    outputs: Fragment = field(default_factory=dict)

    def condition(self, name: str, *comparisons: tuple[object, object]) -> str:
        """Add a condition that all comparisons hold, and return its name."""
        equal = [{"Fn::Equals": list(pair)} for pair in comparisons]
        self.conditions[name] = equal[0] if len(equal) == 1 else {"Fn::And": equal}
        return name


def template(needs: Needs) -> Fragment:
    """Return the template. It contains no secret: external IDs are parameters without echo."""
    made = _Template()
    roles = dict.fromkeys(source.role_arn for source in needs.sources if source.role_arn)
    profiles = dict.fromkeys(source.profile for source in needs.sources)
    for profile in dict.fromkeys([None, *profiles]) if needs.table else profiles:
        _add_identity(made, needs, profile)
    for role_arn in roles:
        _add_role(made, needs, role_arn)
    for name, url in needs.queues.items():
        _add_queue(made, name, url)
    if needs.table:
        condition = OWN_ACCOUNT if OWN_ACCOUNT in made.conditions else None
        if needs.table.region:
            here: list[tuple[object, object]] = [({"Ref": "AWS::Region"}, needs.table.region)]
            if condition:
                here.append((_own_account(), {"Ref": "AWS::AccountId"}))
            condition = made.condition("StateRegion", *here)
        made.resources["StateTable"] = table_resource(needs.table, condition)
    parts = {
        "Parameters": made.parameters,
        "Conditions": made.conditions,
        "Resources": made.resources,
        "Outputs": made.outputs,
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What stackset-monitor needs at AWS. Create a stack of it in each account that is monitored.",
        **{name: part for name, part in parts.items() if part},
    }


def accounts(needs: Needs) -> Mapping[str, Sequence[str]]:
    """Return the Regions in which a stack is needed, by account; empty Regions: any one Region."""
    found: dict[str, set[str]] = {}
    for source in needs.sources:
        if source.role_arn:
            found.setdefault(_match(_ROLE, source.role_arn)["account"], set())
    for role_arn in dict.fromkeys(source.role_arn for source in needs.sources if source.role_arn):
        if region := _home(needs.sources, role_arn):
            found[_match(_ROLE, role_arn)["account"]].add(region)
    return {account: sorted(regions) for account, regions in sorted(found.items())}


def _add_identity(made: _Template, needs: Needs, profile: str | None) -> None:
    """Add the policy of the identity of a profile, or of the environment, and its parameters."""
    prefix = _identity(profile)
    own = [source for source in needs.sources if source.profile == profile]
    policy_document = own_policy(needs.sources, profile, session_tags=needs.session_tags, table=needs.table)
    statements = policy_document["Statement"]
    if queues := [_queue_arn(needs.queues[one.name]) for one in own if not one.role_arn and one.name in needs.queues]:
        statements.append(queue_statement(queues))
    who = "the monitor runs as" if profile is None else f"the profile {profile} has"
    made.parameters[f"{prefix}RoleName"] = {
        "Type": "String",
        "Default": "",
        "Description": f"Name of an existing role that {who}, to attach the policy to; empty to attach it yourself.",
    }
    made.condition(f"No{prefix}RoleName", ({"Ref": f"{prefix}RoleName"}, ""))
    attached = {"Fn::If": [f"No{prefix}RoleName", {"Ref": "AWS::NoValue"}, [{"Ref": f"{prefix}RoleName"}]]}
    policy: Fragment = {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": "What stackset-monitor calls with its own credentials.",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
            "Roles": attached,
        },
    }
    output: Fragment = {"Description": f"Policy for the identity that {who}.", "Value": {"Ref": f"{prefix}Policy"}}
    if any(source.role_arn for source in own):
        made.parameters[f"{prefix}Principal"] = {
            "Type": "String",
            "AllowedPattern": f"^{PRINCIPAL}$",
            "Description": f"ARN of the IAM role, user or account that {who}. The roles trust it.",
        }
        account = made.condition(f"{prefix}Account", (_own_account(prefix), {"Ref": "AWS::AccountId"}))
        policy, output = {"Condition": account, **policy}, {"Condition": account, **output}
    made.resources[f"{prefix}Policy"] = policy
    made.outputs[f"{prefix}PolicyArn"] = output


def _add_role(made: _Template, needs: Needs, role_arn: str) -> None:
    """Add a role that sources name, with its trust and its permissions."""
    role = _match(_ROLE, role_arn)
    name = f"Role{role['account']}{_logical_id((role['path'] + role['name']).strip('/'))}"
    own = [source for source in needs.sources if source.role_arn == role_arn]
    profiles = dict.fromkeys(source.profile for source in own)
    principals = [{"Ref": f"{_identity(one)}Principal"} for one in profiles]
    if any(source.has_external_id for source in own):
        made.parameters[f"{name}ExternalId"] = {
            "Type": "String",
            "NoEcho": True,
            "MinLength": 2,
            "MaxLength": 1224,
            "AllowedPattern": _EXTERNAL_ID,
            "Description": f"The external ID of {role_arn}, as in the configuration of the monitor.",
        }
    here: list[tuple[object, object]] = [({"Ref": "AWS::AccountId"}, role["account"])]
    if region := _home(needs.sources, role_arn):
        here.append(({"Ref": "AWS::Region"}, region))
    statements = role_policy(needs.sources, role_arn)["Statement"]
    if queues := [_queue_arn(needs.queues[one.name]) for one in own if one.name in needs.queues]:
        statements.append(queue_statement(queues))
    made.resources[name] = {
        "Type": "AWS::IAM::Role",
        "Condition": made.condition(f"{name}Here", *here),
        "Properties": {
            "RoleName": role["name"],
            "Path": role["path"],
            "Description": "stackset-monitor reads the products of this account with it.",
            "AssumeRolePolicyDocument": trust_policy(
                needs.sources,
                role_arn,
                principals[0] if len(principals) == 1 else principals,
                {"Ref": f"{name}ExternalId"},
                session_tags=needs.session_tags,
            ),
            "Policies": [
                {
                    "PolicyName": "stackset-monitor",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                }
            ],
        },
    }


def _add_queue(made: _Template, source: str, url: str) -> None:
    queue = _match(_QUEUE, url)
    prefix = f"Hints{_logical_id(source)}"
    here = made.condition(
        f"{prefix}Here",
        ({"Ref": "AWS::AccountId"}, queue["account"]),
        ({"Ref": "AWS::Region"}, _queue_region(url)),
    )
    made.resources |= queue_resources(prefix, queue["name"], here)


def _identity(profile: str | None) -> str:
    return "Monitor" if profile is None else f"Profile{_logical_id(profile)}"


def _home(sources: Sequence[SourceSettings], role_arn: str) -> str | None:
    """Return the one Region in which the stack creates a role, which exists once in an account; None: in any."""
    account = _match(_ROLE, role_arn)["account"]
    regions = [
        source.region
        for source in sources
        if source.region and source.role_arn and _match(_ROLE, source.role_arn)["account"] == account
    ]
    return regions[0] if regions else None


def _own_account(prefix: str = "Monitor") -> Fragment:
    return {"Fn::Select": [4, {"Fn::Split": [":", {"Ref": f"{prefix}Principal"}]}]}


def _queue_arn(url: str) -> Fragment:
    queue = _match(_QUEUE, url)
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:sqs:{_queue_region(url)}:{queue['account']}:{queue['name']}"}


def _queue_region(url: str) -> str:
    """Return the Region in the host of a queue, which is `sqs.REGION.amazonaws.com` or one of another partition."""
    return url.split("/")[2].split(".")[1]


def _logical_id(name: str) -> str:
    """Return a name in letters and digits, as a logical ID must be, different for each name.

    `stackset-monitor` becomes `StacksetMonitor`; a name of other characters also gets a part of its hash.
    """
    words = re.split("[^A-Za-z0-9]+", name)
    text = "".join(word[:1].upper() + word[1:] for word in words)
    return text if _PLAIN_NAME.fullmatch(name) else text + sha256(name.encode()).hexdigest()[:8]


def _match(pattern: re.Pattern[str], text: str) -> Mapping[str, str]:
    found = pattern.fullmatch(text)
    if found is None:
        message = f"{text!r} is not of the form {pattern.pattern}"
        raise ValueError(message)
    return found.groupdict()
