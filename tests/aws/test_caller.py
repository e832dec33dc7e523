"""One call: attempts, back-off, rate limit and metrics, with fakes."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from monitor.aws.background import current_deadline
from monitor.aws.caller import FIRST_BACKOFF, LONGEST_BACKOFF, OUTAGE_ATTEMPTS, OUTAGE_FAILURES, Caller
from monitor.aws.errors import Fault, NoCredentialsFoundError
from monitor.aws.rate_limiter import RateLimiter
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from tests.support import Observer

OPERATION = "ListStackInstancesForProvisionedProduct"
ANSWER: Mapping[str, Any] = {"StackInstances": []}
STATUS_500: Any = {"HTTPStatusCode": 500}
THROTTLED = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, OPERATION)
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "You may not"}}, OPERATION)
INTERNAL_ERROR = ClientError({"Error": {"Code": "InternalServerException"}, "ResponseMetadata": STATUS_500}, OPERATION)
UNREACHABLE = EndpointConnectionError(endpoint_url="http://aws/")
INCOMPLETE = PollFailedError(Reason.INCOMPLETE, "NotJSON", "the answer is not JSON")
NO_CREDENTIALS = NoCredentialsFoundError(Fault(Reason.CREDENTIALS, "AccessDenied", "You may not", passing=False))


class Waits(Deadline):
    """A deadline that records waits instead of sleeping."""

    def __init__(self, seconds: float = 1000.0) -> None:
        """Begin at 0."""
        self.time = 0.0
        self.waits: list[float] = []
        super().__init__(seconds, lambda: self.time)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.waits.append(seconds)
        self.time += min(seconds, self.remaining())
        self.check()


class Aws:
    """A function that returns or raises these in turn."""

    def __init__(self, *answers: Mapping[str, Any] | Exception) -> None:
        """Take the answers; the last one is given forever."""
        self.answers = list(answers)
        self.calls = 0

    def __call__(self) -> Mapping[str, Any]:
        """Answer."""
        self.calls += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def observer() -> Observer:
    """Return an observer that records."""
    return Observer()


def caller(
    observer: Observer, limiter: RateLimiter | None = None, hide: Callable[[str], str] = str, *, down: bool = False
) -> Caller:
    """Return a caller of a source that has answered once, unless it is down; without a limiter it waits for no slot."""
    made = Caller(limiter or RateLimiter(1e9, lambda: 0.0), observer, hide)
    if not down:
        made._count_failures(reset=True)
    return made


def failure(caller: Caller, aws: Aws, deadline: Deadline | None = None, attempts: int | None = None) -> PollFailedError:
    """Make a call, and return how it fails."""
    with pytest.raises(PollFailedError) as caught:
        caller.call(OPERATION, aws, deadline or Waits(), attempts=attempts)
    return caught.value


def test_a_call_that_succeeds_is_made_once(observer: Observer) -> None:
    """Nothing is counted as an error."""
    aws = Aws(ANSWER)
    assert caller(observer).call(OPERATION, aws, Waits()) == ANSWER
    assert aws.calls == 1
    assert observer.errors == {}


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE, INCOMPLETE], ids=lambda error: type(error).__name__)
def test_a_passing_failure_is_retried_and_counted(error: Exception, observer: Observer) -> None:
    """After two failures the call succeeds."""
    aws = Aws(error, error, ANSWER)
    assert caller(observer).call(OPERATION, aws, Waits()) == ANSWER
    assert aws.calls == 3
    assert list(observer.errors.values()) == [2]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_last_failure_of_bounded_attempts_is_raised(attempts: int, observer: Observer) -> None:
    """The cause is chained."""
    aws = Aws(*[UNREACHABLE] * (attempts - 1), THROTTLED)
    with pytest.raises(PollFailedError) as caught:
        caller(observer).call(OPERATION, aws, Waits(), attempts=attempts)
    assert aws.calls == attempts
    assert (caught.value.reason, caught.value.error_code, caught.value.message) == (
        Reason.THROTTLED,
        "Throttling",
        "Rate exceeded",
    )
    assert caught.value.__cause__ is THROTTLED


def test_a_lasting_failure_is_not_retried(observer: Observer) -> None:
    """There is one request and one error."""
    aws = Aws(DENIED)
    with pytest.raises(PollFailedError, match="You may not"):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 1
    assert observer.errors == {(OPERATION, "AccessDenied"): 1}


def test_a_lasting_failure_ends_the_retries(observer: Observer) -> None:
    """It follows a passing failure."""
    aws = Aws(THROTTLED, DENIED, ANSWER)
    with pytest.raises(PollFailedError, match="You may not"):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 2


def test_missing_credentials_are_not_counted_as_a_failed_request(observer: Observer) -> None:
    """No request was sent, and the credential cache has counted the failure."""
    with pytest.raises(PollFailedError, match="no credentials: You may not"):
        caller(observer).call(OPERATION, Aws(NO_CREDENTIALS), Waits())
    assert observer.errors == {}


def test_the_bound_of_the_back_off_doubles(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is random below it, so that polls do not retry at the same moment."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    deadline = Waits()
    failure(caller(observer, RateLimiter(1e9, lambda: deadline.time)), Aws(INTERNAL_ERROR), deadline, attempts=9)
    assert deadline.waits == [FIRST_BACKOFF * 2**n for n in range(6)] + [LONGEST_BACKOFF] * 2


def test_each_attempt_counts_against_the_calls_per_second(observer: Observer) -> None:
    """A retry is a request like any other."""
    deadline = Waits()
    failure(caller(observer, RateLimiter(0.1, lambda: deadline.time)), Aws(INTERNAL_ERROR), deadline, attempts=3)
    assert deadline.time == pytest.approx(20.0)
    assert len(observer.waits) == 2


@pytest.mark.parametrize(("throttled", "budget_wait"), [(False, 0.3), (True, 0.0)])
def test_a_deadline_knows_how_long_it_waited_for_the_configured_rate(
    throttled: bool, budget_wait: float, observer: Observer
) -> None:
    """While AWS throttles, a higher rate would not shorten the wait."""
    deadline = Waits()
    limiter = RateLimiter(10.0, lambda: deadline.time)
    source = caller(observer, limiter)
    if throttled:
        limiter.throttled()
    for _ in range(4):
        source.call(OPERATION, Aws(ANSWER), deadline)
    assert deadline.budget_wait == pytest.approx(budget_wait)
    assert sum(deadline.waits) >= 0.3


def test_a_wait_for_the_rate_limit_ends_with_the_deadline(observer: Observer) -> None:
    """Only the seconds until the deadline are counted."""
    deadline = Waits(5.0)
    budget = RateLimiter(0.1, lambda: deadline.time)
    calls = caller(observer, budget)
    calls.call(OPERATION, Aws(ANSWER), deadline)
    aws = Aws(ANSWER)
    with pytest.raises(PollFailedError, match="the poll was not complete after 5 s"):
        calls.call(OPERATION, aws, deadline)
    assert aws.calls == 0
    assert observer.waits == [5.0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(THROTTLED, Reason.THROTTLED), (INTERNAL_ERROR, Reason.OTHER), (INCOMPLETE, Reason.INCOMPLETE)],
    ids=["throttled", "500", "incomplete"],
)
def test_without_a_setting_a_call_is_retried_until_the_deadline(
    error: Exception, reason: Reason, observer: Observer
) -> None:
    """The back-off bounds the requests, and the poll fails for the reason of the last failure."""
    aws, deadline = Aws(error), Waits(240.0)
    assert failure(caller(observer), aws, deadline).reason is reason
    assert deadline.time >= 240.0 - LONGEST_BACKOFF
    assert 10 < aws.calls < 80
    assert caller(observer).call(OPERATION, Aws(*[error] * 10, ANSWER), Waits(1e6)) == ANSWER


def test_a_source_that_never_answered_is_reported_soon(observer: Observer) -> None:
    """A wrong endpoint fails after three attempts; a network that fails later is waited for."""
    aws, calls = Aws(UNREACHABLE), caller(observer, down=True)
    assert failure(calls, aws).reason is Reason.CONNECTION
    assert aws.calls == OUTAGE_ATTEMPTS
    assert calls.call(OPERATION, Aws(ANSWER), Waits()) == ANSWER
    assert calls.call(OPERATION, Aws(*[UNREACHABLE] * 10, ANSWER), Waits()) == ANSWER


def test_a_source_that_is_down_gets_few_attempts_until_it_answers(observer: Observer) -> None:
    """It is down after a hundred failures of all its polls. A lasting failure neither counts nor ends that."""
    calls, aws = caller(observer), Aws(INTERNAL_ERROR)
    polls = 0
    while aws.calls < OUTAGE_FAILURES:
        polls += 1
        failure(calls, aws, Waits(240.0))
    assert polls < 20
    failure(calls, Aws(DENIED))
    before = aws.calls
    for _ in range(100):
        failure(calls, aws, Waits(240.0))
    assert aws.calls == before + 100 * OUTAGE_ATTEMPTS
    assert calls.call(OPERATION, Aws(INTERNAL_ERROR, ANSWER), Waits()) == ANSWER
    assert calls.call(OPERATION, Aws(*[INTERNAL_ERROR] * 10, ANSWER), Waits()) == ANSWER


def test_throttling_is_not_an_outage(observer: Observer) -> None:
    """The rate limit bounds them, also at the start."""
    calls = caller(observer, down=True)
    for _ in range(20):
        assert failure(calls, Aws(THROTTLED), Waits(240.0)).reason is Reason.THROTTLED
    assert calls.call(OPERATION, Aws(*[THROTTLED] * 5, ANSWER), Waits()) == ANSWER


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-amz-retry-after": "1500"}, 1.5),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "x-amz-retry-after": "30000"}, 30.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "9" * 5000}, 0.0),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_response_says_when_to_retry(
    headers: dict[str, str], seconds: float, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headers are `x-amz-retry-after` in milliseconds and `Retry-After` in seconds."""
    monkeypatch.setattr("random.uniform", lambda least, _: least)
    response: Any = {"ResponseMetadata": {**STATUS_500, "HTTPHeaders": headers}}
    deadline = Waits()
    limiter = RateLimiter(1e9, lambda: deadline.time + len(deadline.waits))
    calls = caller(observer, limiter=limiter)
    assert calls.call(OPERATION, Aws(ClientError(response, OPERATION), ANSWER), deadline) == ANSWER
    assert deadline.waits == [seconds]


def test_a_retry_that_the_response_forbids_before_the_deadline_is_not_waited_for(observer: Observer) -> None:
    """The poll fails at once, and says why."""
    response: Any = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPHeaders": {"retry-after": "3600"}}}
    aws, deadline = Aws(ClientError(response, OPERATION)), Waits(240.0)
    assert failure(caller(observer), aws, deadline).reason is Reason.THROTTLED
    assert (aws.calls, deadline.time) == (1, 0.0)


def test_throttling_lowers_the_rate_of_all_calls_until_it_has_ended(observer: Observer) -> None:
    """Another failure does not lower it."""
    deadline, rates = Waits(1e6), list[float]()
    calls = caller(observer, RateLimiter(10.0, lambda: deadline.time, rates.append))
    calls.call(OPERATION, Aws(THROTTLED, ANSWER), deadline)
    calls.call(OPERATION, Aws(INTERNAL_ERROR, ANSWER), deadline)
    deadline.time += 60.0
    calls.call(OPERATION, Aws(ANSWER), deadline)
    assert (rates[:2], rates[-1]) == ([10.0, 5.0], 10.0)
    assert rates[1:] == sorted(rates[1:])


def test_a_failure_after_the_deadline_is_a_timeout(observer: Observer) -> None:
    """The attempt is counted with its own error."""
    deadline = Waits(5.0)

    def interrupted() -> Mapping[str, Any]:
        deadline.time = 5.0
        raise UNREACHABLE

    with pytest.raises(PollFailedError) as caught:
        caller(observer).call(OPERATION, interrupted, deadline)
    assert caught.value.reason is Reason.TIMEOUT
    assert observer.errors == {(OPERATION, "EndpointConnectionError"): 1}


def test_a_stop_is_not_a_failure(observer: Observer) -> None:
    """Nothing is counted or retried."""
    aws = Aws(PollCancelledError())
    with pytest.raises(PollCancelledError):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 1
    assert observer.errors == {}


def test_a_call_is_made_under_its_deadline(observer: Observer) -> None:
    """Requests that botocore makes itself obey it, too."""
    seen: list[Deadline | None] = []

    def look() -> Mapping[str, Any]:
        seen.append(current_deadline())
        return ANSWER

    deadline = Waits()
    caller(observer).call(OPERATION, look, deadline)
    assert seen == [deadline]
    assert current_deadline() is not deadline


def test_messages_are_redacted(observer: Observer) -> None:
    """The function is that of the source's secrets."""
    with pytest.raises(PollFailedError, match=r"^YOU MAY NOT$"):
        caller(observer, hide=str.upper).call(OPERATION, Aws(DENIED), Waits())
