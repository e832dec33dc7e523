"""A fixed number of polls at once, each product at most once."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from monitor.schedule.workers import Job, PollJob, Workers

WAIT = 5.0


class Work:
    """Polls that begin when a worker is free and end when the test says so."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.done: list[str] = []
        self.errors: list[tuple[str, str]] = []
        self.changed = threading.Condition()

    def __call__(self, job: Job) -> None:
        """Do the work."""
        assert isinstance(job, PollJob)
        name = job.product_id
        self.began.release()
        assert self.may_end.acquire(timeout=WAIT)
        if name == "broken":
            raise RuntimeError("unexpected")
        self._finish(lambda: self.done.append(name))

    def failed(self, job: Job, error: Exception) -> None:
        """Record an error."""
        assert isinstance(job, PollJob)
        name = job.product_id
        self._finish(lambda: self.errors.append((name, str(error))))

    def wait_for(self, count: int) -> bool:
        """Wait until so many ended."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.done) + len(self.errors) >= count, WAIT)

    def _finish(self, note: object) -> None:
        with self.changed:
            assert callable(note)
            note()
            self.changed.notify_all()


def submit(pool: Workers, name: str, group: str = "") -> bool:
    """Submit a job by the id of its product."""
    return pool.submit(PollJob(name), group)


@contextmanager
def workers(count: int, work: Work) -> Iterator[Workers]:
    """Run workers for a test, and end them."""
    pool = Workers(count, work, work.failed)
    yield pool
    for _ in range(100):
        work.may_end.release()
    assert pool.stop(WAIT)


def test_more_work_than_workers_is_late_and_never_dropped() -> None:
    """Twenty products on two workers are all polled, in the order in which they came."""
    work = Work()
    with workers(1, work) as pool:
        names = [f"pp-{n}" for n in range(20)]
        assert all(submit(pool, name) for name in names)
        for _ in names:
            work.may_end.release()
        assert work.wait_for(20)
        assert work.done == names


def test_no_more_than_the_workers_at_once() -> None:
    """The third product waits until a worker is free."""
    work = Work()
    with workers(2, work) as pool:
        for name in ("a", "b", "c"):
            submit(pool, name)
        assert work.began.acquire(timeout=WAIT)
        assert work.began.acquire(timeout=WAIT)
        assert not work.began.acquire(timeout=0.05)
        work.may_end.release()
        assert work.began.acquire(timeout=WAIT)


def test_a_product_that_waits_or_runs_is_not_taken_again() -> None:
    """An overrun is refused; afterwards the product is taken again."""
    work = Work()
    with workers(1, work) as pool:
        assert submit(pool, "a")
        assert work.began.acquire(timeout=WAIT)
        assert submit(pool, "b")
        assert [submit(pool, "a"), submit(pool, "b")] == [False, False]
        work.may_end.release()
        work.may_end.release()
        assert work.wait_for(2)
        with pool._changed:
            assert pool._changed.wait_for(lambda: not pool._pending, WAIT)
        assert submit(pool, "a")


def test_a_job_that_raises_does_not_end_its_worker() -> None:
    """The error is reported, and the same worker runs the next job."""
    work = Work()
    with workers(1, work) as pool:
        submit(pool, "broken")
        submit(pool, "a")
        work.may_end.release()
        work.may_end.release()
        assert work.wait_for(2)
    assert (work.done, work.errors) == (["a"], [("broken", "unexpected")])


def test_a_stop_does_not_wait_for_ever() -> None:
    """What outlasts the time is left behind; what waited never begins; nothing more is taken."""
    work = Work()
    pool = Workers(1, work, work.failed)
    submit(pool, "a")
    assert work.began.acquire(timeout=WAIT)
    submit(pool, "b")
    assert not pool.stop(0.01)
    assert not submit(pool, "c")
    threading.Timer(0.05, work.may_end.release).start()
    begun = time.monotonic()
    assert pool.stop(WAIT)  # it ends with the job, not with the time
    assert time.monotonic() - begun < WAIT / 2
    assert work.done == ["a"]


def test_the_threads_do_not_hold_up_the_end_of_the_process() -> None:
    """Python joins threads at exit that are not daemons."""
    pool = Workers(3, lambda _: None, lambda _, __: None)
    assert [thread.daemon for thread in pool._threads] == [True] * 3
    assert pool.stop(WAIT)


def test_a_removed_group_gives_its_share_back() -> None:
    """With two groups one leaves the last quarter of the workers alone; once the other is removed it takes all."""
    work = Work()
    with workers(4, work) as pool:
        submit(pool, "other", "removed")
        assert work.began.acquire(timeout=WAIT)
        work.may_end.release()
        assert work.wait_for(1)
        for name in ("a", "b", "c", "d"):
            submit(pool, name, "kept")
        for _ in range(3):
            assert work.began.acquire(timeout=WAIT)
        assert not work.began.acquire(timeout=0.05)
        pool.retain_groups({"kept"})
        assert work.began.acquire(timeout=WAIT)


def test_the_last_quarter_is_for_a_group_below_its_share() -> None:
    """A source with one product is polled at once, while another one has all of the workers that it may have."""
    work = Work()
    with workers(4, work) as pool:
        for name in ("a", "b", "c"):
            submit(pool, name, "large")
            assert work.began.acquire(timeout=WAIT)
        submit(pool, "d", "small")
        assert work.began.acquire(timeout=WAIT / 2)  # before the others end


def test_an_ended_worker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If reporting an error fails as well, the thread ends and `alive` is False."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def fail(*_: object) -> None:
        raise RuntimeError("unexpected")

    pool = Workers(1, fail, fail)
    assert pool.alive()
    submit(pool, "a")
    pool._threads[0].join(WAIT)
    assert not pool.alive()
