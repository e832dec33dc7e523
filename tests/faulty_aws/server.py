"""A server in front of the simulated AWS that misbehaves as planned. Plain sockets on loopback."""

import contextlib
import http.client
import select
import socket
import ssl
import struct
import threading
import time
from urllib.parse import urlsplit

from tests.faulty_aws.exchange import Plan, Request, Response, send_whole
from tests.faulty_aws.script import RecordedRequest, Script, Upstream, parse_request

MAX_CONNECTIONS = 256
_MAX_LINE_BYTES = 65536
_MAX_BODY_BYTES = 1 << 20
_IDLE_SECONDS = 600.0
_CHECK_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)


def forward_to(url: str) -> Upstream:
    """Return an upstream that forwards requests to another server."""
    place = urlsplit(url)

    def ask(request: Request) -> Response:
        method, path = request.operation.split(" ", 1) if " " in request.operation else ("POST", "/")
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
        with contextlib.closing(connection):
            headers = {name: value for name, value in request.headers if name.lower() != "content-length"}
            connection.request(method, path, request.body, headers)
            response = connection.getresponse()
            return Response(response.status, response.read(), response.getheader("Content-Type", ""))

    return ask


class FaultyAws:
    """The server. Requests without a planned fault get the response of the upstream."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None = None) -> None:
        """Response with what `upstream` says; nothing is served yet."""
        self._script = Script(upstream)
        self._tls = tls
        self._lock = threading.Lock()
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self._listener: socket.socket | None = None
        self._connections: dict[_Connection, threading.Thread] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Start to serve, and return the URL for AWS_ENDPOINT_URL."""
        self.accept()
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self._address[1]}"

    def stop(self) -> None:
        """Close all connections and stop."""
        self.refuse()

    def accept(self) -> None:
        """Accept connections, at the same address as before."""
        listener = socket.create_server(self._address, backlog=MAX_CONNECTIONS)
        self._address = listener.getsockname()
        self._listener = listener
        self._thread = threading.Thread(target=self._listen, args=(listener,), name="faulty-aws", daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Close all connections, and refuse new ones."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        if self._thread is not None:
            self._thread.join(10)
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            connection.end()
        for thread in connections.values():
            thread.join(10)

    def plan(self, *plans: Plan) -> None:
        """Plan faults. The first plan that matches a request applies."""
        self._script.plan(*plans)

    def clear(self) -> None:
        """Remove all plans and the recorded requests."""
        self._script.clear()

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The received requests in order."""
        return self._script.seen

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            connection = _Connection(line, self._tls)
            thread = threading.Thread(target=self._serve, args=(connection,), name="faulty-aws-connection", daemon=True)
            with self._lock:
                if len(self._connections) >= MAX_CONNECTIONS:
                    connection.close()
                    continue
                self._connections[connection] = thread
                thread.start()

    def _serve(self, connection: "_Connection") -> None:
        try:
            connection.open()
            while (request := connection.read()) is not None:
                fault, response = self._script.respond(request)
                (fault.deliver if fault else send_whole)(connection, response)
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the client closed the connection, or sent something that is not a request
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)


class _Connection:
    """The connection of one client. Any `OSError` ends it."""

    def __init__(self, line: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._line = line
        self._tls = tls
        self._over = threading.Event()

    def open(self) -> None:
        self._line.settimeout(_IDLE_SECONDS)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self._line = self._tls.wrap_socket(self._line, server_side=True)
        self._file = self._line.makefile("rb")

    def read(self) -> Request | None:
        """Return the next request; None if the client closed the connection."""
        first = self._file.readline(_MAX_LINE_BYTES).decode("latin-1").split()
        if len(first) < 2:
            return None
        headers = http.client.parse_headers(self._file)
        body = self._file.read(min(int(headers.get("Content-Length", "0")), _MAX_BODY_BYTES))
        return parse_request(first[0], first[1], headers, body)

    def send(self, data: bytes) -> None:
        if self._over.is_set():
            raise ConnectionAbortedError
        self._line.sendall(data)

    def pause(self, seconds: float) -> None:
        if self._over.wait(seconds):
            raise ConnectionAbortedError

    def hold(self) -> None:
        end = time.monotonic() + _IDLE_SECONDS
        while time.monotonic() < end and not self._over.wait(_CHECK_SECONDS):
            if select.select([self._line], [], [], 0)[0] and not self._line.recv(1):
                break
        raise ConnectionAbortedError

    def reset(self) -> None:
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()
        raise ConnectionAbortedError

    def close(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        self._line.close()

    def end(self) -> None:
        """End the connection from another thread."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
