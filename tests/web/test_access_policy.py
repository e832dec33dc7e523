"""The rate limit and the client certificates of an access policy."""

import time
from email.utils import formatdate

from monitor.web.web_config import AccessPolicy, TokenBucket


def test_a_burst_and_then_one_each_interval() -> None:
    """The burst is allowed at once, then one request each interval; unused tokens do not exceed the burst."""
    now = [100.0]
    bucket = TokenBucket(interval=2.0, burst=3, clock=lambda: now[0])

    def taken(times: int) -> int:
        return sum(bucket.take() for _ in range(times))

    assert taken(5) == 3
    now[0] += 1.9
    assert taken(1) == 0
    now[0] += 0.2
    assert taken(2) == 1
    now[0] += 3600
    assert taken(5) == 3


def test_a_client_certificate_needs_an_allowed_name_and_must_not_be_expired() -> None:
    """Without allowed names any name is accepted; an expired certificate never is."""

    def certificate(seconds: float) -> dict[str, object]:
        _, day, month, year, hour, zone = formatdate(time.time() + seconds, usegmt=True).split()
        names = (("DNS", "prometheus.example"),)
        return {"notAfter": f"{month} {day} {hour} {year} {zone}", "subjectAltName": names}

    anybody, named = AccessPolicy(), AccessPolicy(allowed_names=frozenset({"prometheus.example"}))
    other = AccessPolicy(allowed_names=frozenset({"other.example"}))
    policies = (anybody, named, other)
    assert [policy.allows(certificate(3600)) for policy in policies] == [True, True, False]
    assert [policy.allows(certificate(-3600)) for policy in policies] == [False, False, False]
    assert [policy.allows(None) for policy in policies] == [True, True, True]
