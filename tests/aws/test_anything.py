"""For any response, the real client returns a listing or raises a failed poll."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aws.source import Source
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from tests.faulty_aws.exchange import ClientConnection, Fault, Plan, Response
from tests.faulty_aws.server import FaultyAws
from tests.support import Observer, source_settings

SHORT = 1.0
deterministic = settings(derandomize=True, deadline=None, max_examples=60)


@dataclass(frozen=True)
class Client:
    """The real client and its server."""

    source: Source
    server: FaultyAws

    def poll(self, fault: Fault) -> Listing | PollFailedError:
        """Poll once while everything goes wrong in one way."""
        self.server.clear()
        self.server.plan(Plan(fault, times=None))
        try:
            deadline = Deadline(SHORT)
            return self.source.list_stack_instances("pp-aaaaaaaaaaaaa", deadline)
        except PollFailedError as error:
            return error


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Create one client that makes one attempt, for all examples."""
    server = FaultyAws(lambda _: Response(500))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "simulated")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
        patch.setenv("AWS_ENDPOINT_URL", server.start())
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        source = Source(source_settings(), Observer(), 1)
        source._connect()
        yield Client(source, server)
    server.stop()


def raw(data: bytes) -> Fault:
    """Return a fault that sends these bytes instead of a response."""

    def deliver(line: ClientConnection, _: Response) -> None:
        line.send(data)
        line.close()

    return Fault("raw", Response(), deliver=deliver)


def usual(outcome: Listing | PollFailedError) -> bool:
    """Return whether a poll ended in a listing, or in a failure with all its fields."""
    if isinstance(outcome, Listing):
        return True
    return outcome.reason in Reason and bool(outcome.error_code) and bool(outcome.message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(["StackInstances", "NextPageToken", "__type", "Message", "message", "Account", "Region"])
answers = st.dictionaries(members, json_values, max_size=4) | json_values
bodies = st.binary(max_size=64) | answers.map(lambda answer: json.dumps(answer).encode())
codes = st.sampled_from([200, 204, 206, 299, 300, 301, 304, 400, 403, 404, 413, 429, 500, 503, 599])


@deterministic
@given(status=codes, body=bodies, content_type=st.sampled_from(["application/x-amz-json-1.1", "text/html", "", "é"]))
def test_any_response_is_a_listing_or_a_failed_poll(
    client: Client, status: int, body: bytes, content_type: str
) -> None:
    """Only a page of status 2xx is a listing."""
    outcome = client.poll(Fault("answer", Response(status, body, content_type)))
    assert usual(outcome)
    if isinstance(outcome, Listing):
        assert status <= 300
        assert isinstance(json.loads(body)["StackInstances"], list)


@deterministic
@given(data=st.binary(max_size=256))
def test_any_bytes_instead_of_http_are_a_failed_poll(client: Client, data: bytes) -> None:
    """None is a listing."""
    outcome = client.poll(raw(data))
    assert usual(outcome)
    assert isinstance(outcome, PollFailedError)


lines = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200000 OK\r\n",
        b"HTTP/9.9 200 OK\r\n", b"Content-Length: 22\r\n", b"Content-Length: -1\r\n", b"Content-Length: many\r\n",
        b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n",
        b"Connection: close\r\n", b"Location: http://127.0.0.1:1/\r\n", b": no name\r\n", b" folded\r\n", b"\r\n",
        b"\n", b"16\r\n", b"-1\r\n", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b'{"StackInstances": []}', b"\x00", b"\xff",
    ]
)  # fmt: skip


@deterministic
@given(parts=st.lists(lines, max_size=10))
def test_malformed_http_is_a_listing_or_a_failed_poll(client: Client, parts: list[bytes]) -> None:
    """Parts of responses come in any order, with broken lengths and chunks."""
    assert usual(client.poll(raw(b"".join(parts))))
