"""The signals that stop the daemon and reload its configuration."""

import queue
import signal
import threading

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELOAD_SIGNALS = (signal.SIGHUP,)


class Signals:
    """Set `stop` on SIGTERM and SIGINT, and `reload` on SIGHUP, from now on.

    Only the main thread may create one, and it must run Python code every second or so: Python calls handlers in
    the main thread only, and the kernel may deliver a signal to another thread, which does not wake that one.
    The module imports nothing but the standard library, so that the handlers are in place before the imports of the
    command line, which take 30 ms or more.
    """

    def __init__(self) -> None:
        """Install the handlers and start the thread that sets the events."""
        self.stop = threading.Event()
        self.reload = threading.Event()
        self._received: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=self._dispatch, name="signals", daemon=True).start()
        for number in (*STOP_SIGNALS, *RELOAD_SIGNALS):
            # Event.set() in a handler deadlocks: a second signal interrupts it while it holds the event's lock
            # (11 of 250 pairs of SIGTERM 30 to 200 us apart hung). SimpleQueue.put() is reentrant, and as a C
            # function it is never interrupted by a handler. Its second parameter, which gets the frame, has no effect.
            signal.signal(number, self._received.put)  # type: ignore[arg-type]

    def _dispatch(self) -> None:
        while True:
            (self.stop if self._received.get() in STOP_SIGNALS else self.reload).set()
