"""What the monitor uses at AWS apart from IAM, as resources of CloudFormation: the queue of the hints, and the table.

Sources: CloudFormation Template Reference; CloudFormation User Guide, "StackSet Stack Instance Status Change event
detail"; EventBridge User Guide, "Resource-based policies", "Amazon SQS".
"""

from collections.abc import Sequence
from typing import Any

from monitor.config.settings import TableSettings

# A resource, property or condition of CloudFormation, in the form of its templates.
Fragment = dict[str, Any]

EVENTS = (
    "CloudFormation StackSet StackInstance Status Change",
    "CloudFormation StackSet Operation Status Change",
    "CloudFormation StackSet Status Change",
)
# A hint saves the wait for the next poll. After an hour, the poll took place.
RETENTION_SECONDS = 3600
# Between the delivery of a hint and the end of the poll that it led to, after which it is deleted.
VISIBILITY_SECONDS = 300
LONG_POLL_SECONDS = 20


def queue_resources(prefix: str, name: str, condition: str) -> Fragment:
    """Return a queue, its policy and the rule that sends the events of the stack sets of Service Catalog to it.

    `prefix` begins the logical IDs; the resources exist only where `condition` holds. A dead-letter queue has no use: a
    hint that cannot be read is counted and deleted, and the polls find what it stood for.
    """
    queue, rule = f"{prefix}Queue", f"{prefix}Rule"
    stack_sets = "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stackset/SC-"
    pattern = {
        "source": ["aws.cloudformation"],
        "detail-type": list(EVENTS),
        # The stack sets of Service Catalog have the name SC-<account>-<provisioned product>.
        "detail": {"stack-set-arn": [{"prefix": {"Fn::Sub": stack_sets}}]},
    }
    send = {
        "Sid": "EventBridge",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": _arn(queue),
        "Condition": {"ArnEquals": {"aws:SourceArn": _arn(rule)}},
    }
    secure = {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": _arn(queue),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        queue: {
            "Type": "AWS::SQS::Queue",
            "Condition": condition,
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "QueueName": name,
                "MessageRetentionPeriod": RETENTION_SECONDS,
                "ReceiveMessageWaitTimeSeconds": LONG_POLL_SECONDS,
                # Encrypted by SQS. EventBridge cannot use the AWS managed key of KMS, and drops the events silently.
                "SqsManagedSseEnabled": True,
                "VisibilityTimeout": VISIBILITY_SECONDS,
            },
        },
        f"{prefix}QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Condition": condition,
            "Properties": {
                "Queues": [{"Ref": queue}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [send, secure]},
            },
        },
        rule: {
            "Type": "AWS::Events::Rule",
            "Condition": condition,
            "Properties": {
                "Description": "Changes of the stack sets of Service Catalog, for stackset-monitor",
                "EventPattern": pattern,
                "Targets": [{"Id": "stackset-monitor", "Arn": _arn(queue)}],
            },
        },
    }


def queue_statement(arns: Sequence[object]) -> Fragment:
    """Return what the monitor does with its queues."""
    return {
        "Sid": "ReadHints",
        "Effect": "Allow",
        "Action": [
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
        ],
        "Resource": list(arns),
    }


def table_resource(table: TableSettings, condition: str | None) -> Fragment:
    """Return the table of the state. It stays if the stack is deleted."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    resource = {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": table.table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        },
    }
    return resource if condition is None else {"Condition": condition, **resource}


def _arn(logical_id: str) -> Fragment:
    return {"Fn::GetAtt": [logical_id, "Arn"]}
