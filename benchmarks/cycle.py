"""The duration of a cycle in which many products are due at once, compared with the shortest possible one."""

import os
import threading
import time

from benchmarks.fleets import Fleet
from benchmarks.poll import aws
from benchmarks.servers import environment, pages
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadline
from monitor.schedule.workers import Job, PollJob, Workers

DELAY = 0.1
"""Seconds that the server needs for a page."""


def bound(fleet: Fleet, concurrency: int, calls_per_second: float) -> float:
    """Return the shortest possible seconds: the pages of a product, all pages in parallel, or the rate limit."""
    pages_of_one = -(-fleet.instances // 20)
    pages_of_all = pages_of_one * fleet.products
    return max(pages_of_one * DELAY, pages_of_all * DELAY / concurrency, (pages_of_all - 1) / calls_per_second)


def measure(fleet: Fleet, concurrency: int, calls_per_second: float) -> float:
    """Return the seconds until all products are listed if all are due at once."""
    with pages(instances=fleet.instances, delay=DELAY) as url:
        os.environ.update(environment(url), AWS_DEFAULT_REGION="eu-west-1")
        source = aws(
            MonitorMetrics(version="", revision=""), calls_per_second=calls_per_second, connections=concurrency
        )
        source.list_stack_instances(fleet.product(fleet.products).id, Deadline(60))  # creates the client
        left, done = [fleet.products], threading.Event()
        lock = threading.Lock()

        def work(job: Job) -> None:
            assert isinstance(job, PollJob)
            source.list_stack_instances(job.product_id, Deadline(600))
            with lock:
                left[0] -= 1
                if not left[0]:
                    done.set()

        workers = Workers(concurrency, work, lambda *_: done.set())
        started = time.perf_counter()
        for product in map(fleet.product, range(fleet.products)):
            workers.submit(PollJob(product.id), "default")
        done.wait()
        took = time.perf_counter() - started
        workers.stop(1)
        if left[0]:
            raise RuntimeError("a listing failed")
        return took
