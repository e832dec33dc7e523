"""The HTTP server: uvicorn's protocol on an event loop in a thread of its own, with an accept loop that protects it.

asyncio's own server uses one TLS context for ever and accepts connections until no file descriptor is left. During a
TLS handshake, for which it grants a minute, the application can neither count nor drop a connection. `uvicorn.Server`
would add little to its protocol here, and wakes up ten times a second: 0.19 % of a core, when idle most of the total.
"""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from monitor.web.connection import Connection, Connections
from monitor.web.limits import HEADER_BYTES, Limits
from monitor.web.request_guard import RequestGuard
from monitor.web.web_config import WebConfigReloader

GRACE_SECONDS, ABORT_SECONDS = 0.5, 0.2
"""Time for responses under way to complete when the server stops, and for those that were aborted to end."""
CONNECTION = "connection"
"""Key of a request's connection in its ASGI `scope["state"]`."""

RETRY_SECONDS, RETRY_AFTER_DROP_SECONDS = 0.1, 0.001
"""Pause after an accept that failed; shorter if a connection was dropped, so that the next accept can succeed."""
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_logger = logging.getLogger(__name__)


class Server:
    """Serves an ASGI application until it is stopped."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        web_config: WebConfigReloader | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Serve on a listening socket, to the clients that the web configuration allows; by default to every client."""
        host, port = listening.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._listening = listening
        self._web_config = web_config or WebConfigReloader()
        self._limits = limits or Limits()
        self._connections = Connections(self._limits.max_connections)
        self._guarded = RequestGuard(app, self._web_config)
        self._config = uvicorn.Config(
            self._answer,
            http="h11",
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            timeout_keep_alive=self._limits.keep_alive,  # type: ignore[arg-type] # any number of seconds works
            h11_max_incomplete_event_size=HEADER_BYTES,
        )
        self._state = ServerState()
        self._stopping = threading.Event()
        self._wake: Callable[[], object] = lambda: None
        """Lets the event loop see that the server stops."""
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        if self._web_config.path is not None:
            threading.Thread(target=self._reload_web_config, name="web-config", daemon=True).start()

    def alive(self) -> bool:
        """Say whether the server serves: it was started, and has neither stopped nor failed."""
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Stop serving, and wait up to `timeout` seconds for the responses under way and the end of the thread."""
        self._stopping.set()
        with suppress(RuntimeError):  # the event loop is closed
            self._wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:  # the owner learns it from `alive`
            _logger.exception("the web server failed")
        finally:
            self._listening.close()

    async def _serve(self) -> None:
        self._config.load()
        # uvicorn warns of each malformed request: a line for each port scan.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        stop = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set)
        if self._stopping.is_set():  # before there was anything to wake
            return
        async with asyncio.TaskGroup() as tasks:  # an accept loop that fails ends the server
            accepting = tasks.create_task(self._accept())
            await stop.wait()
            accepting.cancel()
        self._listening.close()
        for http in list(self._state.connections):
            http.shutdown()
        await self._requests_end(GRACE_SECONDS)
        for connection in list(self._connections):
            connection.abort()
        await self._requests_end(ABORT_SECONDS)  # what still runs is a password check, and its client is gone

    async def _requests_end(self, seconds: float) -> None:
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=seconds)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening.settimeout(0)
        handshakes: set[asyncio.Task[None]] = set()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._listening)
            except OSError as error:
                dropped = error.errno in OUT_OF_RESOURCES and self._connections.drop_one()
                await asyncio.sleep(RETRY_AFTER_DROP_SECONDS if dropped else RETRY_SECONDS)
                continue
            handshake = loop.create_task(self._handshake(accepted))
            handshakes.add(handshake)
            handshake.add_done_callback(handshakes.discard)
            await asyncio.sleep(0)  # serve the open connections in between, however many wait

    async def _handshake(self, accepted: socket.socket) -> None:
        with suppress(OSError):  # the client may be gone; asyncio does this only for sockets that say they are TCP
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = self._web_config.policy.tls_context
        connection = Connection(accepted, self._limits, self._connections, self._web_config, self._http_protocol)
        if not self._connections.admit(connection):
            accepted.close()
            return
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=context,
                ssl_handshake_timeout=self._limits.tls_handshake if context else None,
                ssl_shutdown_timeout=self._limits.close if context else None,
            )
        except OSError:  # no TLS, no trusted certificate, too slow, or gone: a line would help a port scan only
            self._connections.pop(connection, None)

    def _http_protocol(self, connection: Connection) -> asyncio.Protocol:
        """Return uvicorn's protocol, made with the arguments that uvicorn passes to a class in its `http` setting."""
        make: Callable[..., asyncio.Protocol] = self._config.http_protocol_class
        return make(
            config=self._config,
            server_state=self._state,
            app_state={CONNECTION: connection},
            _loop=asyncio.get_running_loop(),
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection: Connection = scope["state"][CONNECTION]
        await connection.serve(self._guarded, scope, receive, send)

    def _reload_web_config(self) -> None:
        while not self._stopping.wait(self._limits.web_config_interval):
            try:
                self._web_config.reload_if_changed()
            except Exception:  # the policy in force stays, and so does this thread
                _logger.exception("cannot check the web configuration for changes")
