"""Tasks in parallel threads that the end of the process does not wait for.

`concurrent.futures` joins its threads when the interpreter exits: after Ctrl-C, a name lookup that nothing can
interrupt would hold the command for half a minute.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

from monitor.model.deadline import Deadline, Deadlines
from monitor.model.errors import PollFailedError

T = TypeVar("T")
Task = tuple[float, Callable[[Deadline], T]]
"""The seconds that a task may take, and its function."""


def run_tasks(
    concurrency: int, tasks: Sequence[Task[T]], on_done: Callable[[], None] = lambda: None
) -> Sequence[T | PollFailedError]:
    """Run all tasks, at most `concurrency` at once; return their results or errors in the order of the tasks.

    `on_done` is called after each task. An exception other than `PollFailedError` is raised and cancels the others.
    """
    deadlines = Deadlines()
    waiting = deque(enumerate(tasks))
    done: SimpleQueue[tuple[int, T | None, Exception | None]] = SimpleQueue()

    def work() -> None:
        while waiting:
            try:
                place, (seconds, function) = waiting.popleft()
            except IndexError:  # another thread took the last task since the check
                return
            try:
                with deadlines.running(seconds) as deadline:
                    done.put((place, function(deadline), None))
            except Exception as error:  # noqa: BLE001 - raised by the main thread, below
                done.put((place, None, error))

    for number in range(min(concurrency, len(tasks))):
        threading.Thread(target=work, name=f"task-{number}", daemon=True).start()
    results: dict[int, T | PollFailedError] = {}
    try:
        while len(results) < len(tasks):
            place, result, error = done.get()
            if isinstance(error, PollFailedError):
                results[place] = error
            elif error is not None:
                raise error
            else:
                results[place] = result  # type: ignore[assignment] # without an error, it is a T
            on_done()
    finally:
        waiting.clear()
        deadlines.cancel()
    return [results[place] for place in range(len(tasks))]
