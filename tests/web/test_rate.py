"""The token bucket of `rate_limit`."""

from monitor.web.rate import Bucket


def test_a_burst_and_then_one_each_interval() -> None:
    """As many as the burst come in at once, then one each interval; unused tokens do not grow over the burst."""
    now = [100.0]
    bucket = Bucket(interval=2.0, burst=3, clock=lambda: now[0])

    def taken(times: int) -> int:
        return sum(bucket.take() for _ in range(times))

    assert taken(5) == 3
    now[0] += 1.9
    assert taken(1) == 0
    now[0] += 0.2
    assert taken(2) == 1
    now[0] += 3600
    assert taken(5) == 3
