"""Work that must not hold the event loop, on threads that the end of the process does not wait for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T], name: str) -> T:
    """Do something on a thread of its own, and return what it returns or raise what it raises."""
    task = _Task(work)
    threading.Thread(target=task.run, name=name, daemon=True).start()
    return await task.done


class Crew:
    """Threads that stay: to start one takes as long as a scrape."""

    def __init__(self, most: int, name: str) -> None:
        """Have up to `most` threads, the first when it is needed."""
        self._most = most
        self._name = name
        self._threads = 0
        self._under_way = 0
        self._tasks: SimpleQueue[_Task[None]] = SimpleQueue()

    async def do(self, work: Callable[[], None]) -> None:
        """Do something on one of the threads, when one is free; raise what it raises. Of one event loop.

        `RuntimeError`, and nothing done, where the system has no thread to give.
        """
        task = _Task(work)
        self._under_way += 1
        try:
            if self._under_way > self._threads and self._threads < self._most:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self._threads += 1
            self._tasks.put(task)
            await task.done
        finally:
            self._under_way -= 1

    def _run(self) -> None:
        while True:
            self._tasks.get().run()


class _Task(Generic[T]):
    """Work, and the future of its result in the event loop that asked for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[T] = self._loop.create_future()

    def run(self) -> None:
        result, failed = None, None
        try:
            result = self._work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._tell, result, failed)

    def _tell(self, result: T | None, error: Exception | None) -> None:
        if self.done.cancelled():
            return
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(result)  # type: ignore[arg-type] # without an error, it is a T
