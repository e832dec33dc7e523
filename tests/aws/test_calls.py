"""One call: attempts, back-off, budget, and what is counted, with fakes on all sides."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tenacity
from botocore.exceptions import ClientError, EndpointConnectionError

from monitor.aws.aside import current_deadline
from monitor.aws.budget import Budget
from monitor.aws.calls import FIRST_BACKOFF, LONGEST_BACKOFF, Caller
from monitor.aws.errors import Fault, NoCredentialsFoundError
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from tests.support import Observer

OPERATION = "ListStackInstancesForProvisionedProduct"
ANSWER: Mapping[str, Any] = {"StackInstances": []}
THROTTLED = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, OPERATION)
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "You may not"}}, OPERATION)
UNREACHABLE = EndpointConnectionError(endpoint_url="http://aws/")
INCOMPLETE = PollFailedError(Reason.INCOMPLETE, "NotJSON", "the answer is not JSON")
NO_CREDENTIALS = NoCredentialsFoundError(Fault(Reason.CREDENTIALS, "AccessDenied", "You may not", passing=False))


class Waits(Deadline):
    """A deadline on which waiting takes no time but counts."""

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
    """Answers in turn."""

    def __init__(self, *answers: Mapping[str, Any] | Exception) -> None:
        """Take the answers; the last one is given for ever."""
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
    """Keep books."""
    return Observer()


def caller(
    observer: Observer, attempts: int = 3, budget: Budget | None = None, hide: Callable[[str], str] = str
) -> Caller:
    """Return a caller with a budget that nobody notices."""
    return Caller(budget or Budget(1e9, lambda: 0.0), observer, attempts, hide)


def test_a_good_call_is_made_once_and_without_tenacity(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting tenacity up takes ten times as long as all the rest."""
    monkeypatch.delattr(tenacity, "Retrying")
    aws = Aws(ANSWER)
    assert caller(observer).call(OPERATION, aws, Waits()) == ANSWER
    assert aws.calls == 1
    assert observer.errors == {}


@pytest.mark.parametrize("error", [THROTTLED, UNREACHABLE, INCOMPLETE], ids=lambda error: type(error).__name__)
def test_what_may_pass_is_tried_again_and_each_failure_is_counted(error: Exception, observer: Observer) -> None:
    """Two failures and an answer are an answer."""
    aws = Aws(error, error, ANSWER)
    assert caller(observer).call(OPERATION, aws, Waits()) == ANSWER
    assert aws.calls == 3
    assert list(observer.errors.values()) == [2]


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_the_attempts_are_bounded_and_the_last_failure_is_told(attempts: int, observer: Observer) -> None:
    """The cause is chained."""
    aws = Aws(*[UNREACHABLE] * (attempts - 1), THROTTLED)
    with pytest.raises(PollFailedError) as caught:
        caller(observer, attempts).call(OPERATION, aws, Waits())
    assert aws.calls == attempts
    assert (caught.value.reason, caught.value.error_code, caught.value.message) == (
        Reason.THROTTLED,
        "Throttling",
        "Rate exceeded",
    )
    assert caught.value.__cause__ is THROTTLED


def test_what_does_not_pass_is_not_tried_again(observer: Observer) -> None:
    """One request, one error."""
    aws = Aws(DENIED)
    with pytest.raises(PollFailedError, match="You may not"):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 1
    assert observer.errors == {(OPERATION, "AccessDenied"): 1}


def test_what_does_not_pass_ends_the_attempts(observer: Observer) -> None:
    """Also after something that might have."""
    aws = Aws(THROTTLED, DENIED, ANSWER)
    with pytest.raises(PollFailedError, match="You may not"):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 2


def test_missing_credentials_are_not_counted_as_a_failed_request(observer: Observer) -> None:
    """None went out; they were counted where they were asked for."""
    with pytest.raises(PollFailedError, match="no credentials: You may not"):
        caller(observer).call(OPERATION, Aws(NO_CREDENTIALS), Waits())
    assert observer.errors == {}


def test_the_bound_of_the_back_off_doubles(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is drawn below it, so that many pollers do not come back at the same moment."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    deadline = Waits()
    with pytest.raises(PollFailedError):
        caller(observer, 9, Budget(1e9, lambda: deadline.time)).call(OPERATION, Aws(THROTTLED), deadline)
    assert deadline.waits == [FIRST_BACKOFF * 2**n for n in range(6)] + [LONGEST_BACKOFF] * 2


def test_each_attempt_takes_a_place_in_the_budget(observer: Observer) -> None:
    """A retry is a request like any other."""
    deadline = Waits()
    budget = Budget(0.1, lambda: deadline.time)
    calls = caller(observer, 3, budget)
    with pytest.raises(PollFailedError, match="Rate exceeded"):
        calls.call(OPERATION, Aws(THROTTLED), deadline)
    assert deadline.time == pytest.approx(20.0)
    assert len(observer.waits) == 2


def test_a_wait_for_the_budget_ends_with_the_deadline(observer: Observer) -> None:
    """Only the seconds that were waited are counted."""
    deadline = Waits(5.0)
    budget = Budget(0.1, lambda: deadline.time)
    calls = caller(observer, 3, budget)
    calls.call(OPERATION, Aws(ANSWER), deadline)
    aws = Aws(ANSWER)
    with pytest.raises(PollFailedError, match="the poll was not complete after 5 s"):
        calls.call(OPERATION, aws, deadline)
    assert aws.calls == 0
    assert observer.waits == [5.0]


def test_a_back_off_ends_with_the_deadline(observer: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The poll is told to have taken too long."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    aws = Aws(THROTTLED)
    with pytest.raises(PollFailedError) as caught:
        caller(observer).call(OPERATION, aws, Waits(0.2))
    assert (caught.value.reason, caught.value.error_code) == (Reason.TIMEOUT, "DeadlineExceeded")
    assert aws.calls == 1


def test_a_failure_after_the_deadline_is_the_deadline(observer: Observer) -> None:
    """A connection that the deadline broke off looks like one that AWS broke off."""
    deadline = Waits(5.0)

    def interrupted() -> Mapping[str, Any]:
        deadline.time = 5.0
        raise UNREACHABLE

    with pytest.raises(PollFailedError) as caught:
        caller(observer).call(OPERATION, interrupted, deadline)
    assert caught.value.reason is Reason.TIMEOUT
    assert observer.errors == {(OPERATION, "EndpointConnectionError"): 1}


def test_a_stop_is_no_failure(observer: Observer) -> None:
    """Nothing is counted, and nothing tried again."""
    aws = Aws(PollCancelledError())
    with pytest.raises(PollCancelledError):
        caller(observer).call(OPERATION, aws, Waits())
    assert aws.calls == 1
    assert observer.errors == {}


def test_a_call_is_made_under_its_deadline(observer: Observer) -> None:
    """What botocore sends in the course of it ends with it too."""
    seen: list[Deadline | None] = []

    def look() -> Mapping[str, Any]:
        seen.append(current_deadline())
        return ANSWER

    deadline = Waits()
    caller(observer).call(OPERATION, look, deadline)
    assert seen == [deadline]
    assert current_deadline() is None


def test_messages_are_cleaned(observer: Observer) -> None:
    """Whatever AWS said."""
    with pytest.raises(PollFailedError, match=r"^YOU MAY NOT$"):
        caller(observer, hide=str.upper).call(OPERATION, Aws(DENIED), Waits())
