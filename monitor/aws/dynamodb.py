"""A table of DynamoDB, with plain values in place of the typed ones of its API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from monitor import __version__
from monitor.aws.redaction import sentence
from monitor.config.settings import TableSettings
from monitor.poller.protocols import StateError

Value = str | int | bytes
Item = Mapping[str, Value]
Key = tuple[str, str]

# A commit waits for the answer while it holds its product, and a renewal while the lease runs out: 3 attempts of 2 s
# end within half of the default lease. botocore's own timeouts are 60 s.
_CONFIG = Config(
    connect_timeout=2.0,
    read_timeout=2.0,
    retries={"total_max_attempts": 3, "mode": "standard"},
    max_pool_connections=32,
    user_agent_extra=f"stackset-monitor/{__version__}",
)
_REFUSED = ("ConditionalCheckFailedException", "TransactionCanceledException")


class DynamoDbTable:
    """One table with the keys `pk` and `sk`, both of type String. Safe to use from many threads.

    Every method raises `StateError` if DynamoDB does not carry it out. A write may have been carried out all the same
    if its answer was lost.
    """

    def __init__(self, settings: TableSettings) -> None:
        """Create the client with the credentials of the environment. No request is sent yet."""
        self._name = settings.table
        self._region = settings.region
        try:
            self._client: Any = boto3.Session().client(
                "dynamodb", region_name=settings.region, endpoint_url=settings.endpoint, config=_CONFIG
            )
        except NoRegionError as error:
            advice = "set AWS_DEFAULT_REGION, or `state.dynamodb.region`"
            raise StateError(f"the DynamoDB table {self._name}: no Region; {advice}") from error
        except (BotoCoreError, ValueError) as error:
            raise self._error(error) from error
        self._region = self._client.meta.region_name

    def get(self, key: Key) -> Item | None:
        """Return an item; None if there is none."""
        found = self._call("get_item", Key=_key(key), ConsistentRead=True)
        return _plain(found["Item"]) if "Item" in found else None

    def query(self, partition: str, first: str = "", last: str = "\uffff") -> Iterator[Item]:
        """Yield the items of a partition whose sort keys are between two texts, by their sort keys."""
        arguments: dict[str, Any] = {
            "ConsistentRead": True,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            # A key must not be empty, and every sort key is larger than a space.
            "ExpressionAttributeValues": _typed({":pk": partition, ":first": first or " ", ":last": last}),
        }
        while True:
            page = self._call("query", **arguments)
            yield from map(_plain, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(
        self, items: Sequence[Item], deleted: Sequence[Key] = (), expected: Mapping[str, Value | None] | None = None
    ) -> bool:
        """Put and delete items, all or nothing; return False if the first item is not as expected.

        `expected` has attributes of the stored item in place of the first one; None: the attribute must be absent.
        """
        condition = _condition(expected or {})
        if len(items) + len(deleted) == 1:
            operation = (
                ("put_item", {"Item": _typed(items[0])}) if items else ("delete_item", {"Key": _key(deleted[0])})
            )
            return self._carried_out(operation[0], **operation[1], **condition)
        actions: list[dict[str, Any]] = [{"Put": {"TableName": self._name, "Item": _typed(item)}} for item in items]
        if items:
            actions[0]["Put"] |= condition
        actions += [{"Delete": {"TableName": self._name, "Key": _key(key)}} for key in deleted]
        # botocore adds a ClientRequestToken, the same for each attempt: a repeated one is carried out once.
        return self._carried_out("transact_write_items", TransactItems=actions)

    def raise_number(self, key: Key, name: str, value: int) -> Item | None:
        """Set an attribute of an item, which is created if it does not exist; return the item.

        If the attribute is higher already, nothing is written, and the result is None.
        """
        try:
            found = self._request(
                "update_item",
                Key=_key(key),
                UpdateExpression="SET #name = :value",
                ConditionExpression="attribute_not_exists(#name) OR #name <= :value",
                ExpressionAttributeNames={"#name": name},
                ExpressionAttributeValues=_typed({":value": value}),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSED:
                return None
            raise self._error(error) from error
        return _plain(found["Attributes"])

    def _carried_out(self, operation: str, **arguments: Any) -> bool:
        try:
            self._request(operation, **arguments)
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            code = error.response["Error"]["Code"]
            if code == _REFUSED[0] or (code == _REFUSED[1] and "ConditionalCheckFailed" in reasons):
                return False
            raise self._error(error) from error
        return True

    def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            return self._request(operation, **arguments)
        except ClientError as error:
            raise self._error(error) from error

    def _request(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """Call an operation. Raises `ClientError` for an error response, and `StateError` if there is none."""
        if operation != "transact_write_items":
            arguments["TableName"] = self._name
        try:
            response: Mapping[str, Any] = getattr(self._client, operation)(**arguments)
        except BotoCoreError as error:
            raise self._error(error) from error
        return response

    def _error(self, error: Exception) -> StateError:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        advice = "; `stackset-monitor aws-template` prints one" if code == "ResourceNotFoundException" else ""
        return StateError(f"the DynamoDB table {self._name} in {self._region}: {sentence(str(error))}{advice}")


def _key(key: Key) -> dict[str, Any]:
    return _typed({"pk": key[0], "sk": key[1]})


def _condition(expected: Mapping[str, Value | None]) -> dict[str, Any]:
    if not expected:
        return {}
    names = {f"#{number}": name for number, name in enumerate(expected)}
    values = {f":{number}": value for number, value in enumerate(expected.values()) if value is not None}
    terms = [f"#{n} = :{n}" if f":{n}" in values else f"attribute_not_exists(#{n})" for n in range(len(expected))]
    condition: dict[str, Any] = {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeNames": names,
    }
    return condition | ({"ExpressionAttributeValues": _typed(values)} if values else {})


def _typed(item: Mapping[str, Value]) -> dict[str, Any]:
    """Return values as DynamoDB writes them, with their types."""
    return {name: _typed_value(value) for name, value in item.items()}


def _typed_value(value: Value) -> dict[str, Any]:
    match value:
        case str():
            return {"S": str(value)}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}


def _plain(item: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return plain values of what DynamoDB returned; attributes of other types are left out."""
    kinds: dict[str, Any] = {"S": str, "N": int, "B": bytes}
    plain: dict[str, Value] = {}
    for name, typed in item.items():
        ((kind, value),) = typed.items()
        if kind in kinds:
            plain[name] = kinds[kind](value)
    return plain
