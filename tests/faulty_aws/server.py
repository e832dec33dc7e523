"""A server in front of the simulated AWS that misbehaves as planned, byte by byte. Plain sockets on loopback."""

import contextlib
import http.client
import json
import re
import select
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from tests.faulty_aws.exchange import Fault, Plan, Request, Response, whole

Upstream = Callable[[Request], Response]

MOST_CONNECTIONS = 256
MOST_REMEMBERED = 100_000
_LONGEST_LINE = 65536
_LARGEST_BODY = 1 << 20
_IDLE_SECONDS = 600.0
_LOOK_SECONDS = 0.02
_RESET = struct.pack("ii", 1, 0)
_SIGNED = re.compile(r"Credential=([^/]+)/[^/]*/([^/]*)/")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came in, and what was done to it."""

    at: float
    """By the clock that only goes forward."""
    operation: str
    product_id: str | None
    page: int
    key_id: str | None
    fault: str | None


def forward_to(url: str) -> Upstream:
    """Return an upstream that asks another server, as the simulated AWS is."""
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
    """The server. What is not planned goes through as it is."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None = None) -> None:
        """Response with what `upstream` says; nothing is served yet."""
        self._script = _Script(upstream)
        self._tls = tls
        self._lock = threading.Lock()
        self._address: tuple[str, int] = ("127.0.0.1", 0)
        self._listener: socket.socket | None = None
        self._connections: dict[_Connection, threading.Thread] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Serve, and return the URL, which is what AWS_ENDPOINT_URL wants."""
        self.accept()
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self._address[1]}"

    def stop(self) -> None:
        """Serve no more."""
        self.refuse()

    def accept(self) -> None:
        """Let clients connect again, at the same place as before."""
        listener = socket.create_server(self._address, backlog=MOST_CONNECTIONS)
        self._address = listener.getsockname()
        self._listener = listener
        self._thread = threading.Thread(target=self._listen, args=(listener,), name="faulty-aws", daemon=True)
        self._thread.start()

    def refuse(self) -> None:
        """Hang up, and refuse every connection from now on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes up the thread that accepts
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
        """Misbehave when a request comes that fits; of several plans the first that fits."""
        self._script.plan(*plans)

    def clear(self) -> None:
        """Behave again, and forget the requests so far."""
        self._script.clear()

    @property
    def requests(self) -> tuple[Seen, ...]:
        """Every request so far, in the order in which they came."""
        return self._script.seen

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            connection = _Connection(line, self._tls)
            thread = threading.Thread(target=self._serve, args=(connection,), name="faulty-aws-line", daemon=True)
            with self._lock:
                if len(self._connections) >= MOST_CONNECTIONS:
                    connection.close()
                    continue
                self._connections[connection] = thread
                thread.start()

    def _serve(self, connection: "_Connection") -> None:
        try:
            connection.open()
            while (request := connection.read()) is not None:
                fault, answer = self._script.play(request)
                (fault.deliver if fault else whole)(connection, answer)
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the client hung up, or what it sends is no request
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(connection, None)


class _Script:
    """What is planned, what came, and which page each token that was handed out leads to."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._plans: list[tuple[Plan, list[int]]] = []
        self._seen: deque[Seen] = deque(maxlen=MOST_REMEMBERED)
        self._tokens: dict[str, tuple[int, str | None]] = {}
        """Of each token its page, and the token that the upstream knows that page by."""

    @property
    def seen(self) -> tuple[Seen, ...]:
        with self._lock:
            return tuple(self._seen)

    def plan(self, *plans: Plan) -> None:
        with self._lock:
            self._plans.extend((plan, [0]) for plan in plans)

    def clear(self) -> None:
        with self._lock:
            self._plans.clear()
            self._seen.clear()
            self._tokens.clear()

    def play(self, request: Request) -> tuple[Fault | None, Response]:
        with self._lock:
            page, known = self._tokens.get(request.token or "", (1, request.token))
            request = replace(request, page=page)
            fault = self._fault(request)
            self._seen.append(
                Seen(
                    time.monotonic(),
                    request.operation,
                    request.product_id,
                    page,
                    request.key_id,
                    fault.name if fault else None,
                )
            )
        if fault is not None and fault.answer is not None:
            return fault, fault.answer
        asked = request if known == request.token else replace(request, body=_with_token(request.body, known))
        answer = self._upstream(asked)
        given = _token(answer)
        if fault is not None and fault.change is not None and answer.status == http.HTTPStatus.OK:
            answer = fault.change(request, answer)
        if (token := _token(answer)) is not None:
            with self._lock:
                # A token that the upstream did not give leads to where this request led.
                self._tokens.setdefault(token, (page + 1, given if token == given else known))
                if len(self._tokens) > MOST_REMEMBERED:
                    del self._tokens[next(iter(self._tokens))]
        return fault, answer

    def _fault(self, request: Request) -> Fault | None:
        for plan, count in self._plans:
            if not plan.fits(request):
                continue
            if plan.times is not None and count[0] >= plan.skip + plan.times:
                continue
            count[0] += 1
            if count[0] > plan.skip:
                return plan.fault
        return None


class _Connection:
    """One client; the `Line` that answers go out on. Any `OSError` ends it."""

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
        """Return the next request; None where the client hangs up instead."""
        first = self._file.readline(_LONGEST_LINE).decode("latin-1").split()
        if len(first) < 2:
            return None
        headers = http.client.parse_headers(self._file)
        body = self._file.read(min(int(headers.get("Content-Length", "0")), _LARGEST_BODY))
        return _request(first[0], first[1], headers, body)

    def send(self, data: bytes) -> None:
        if self._over.is_set():
            raise ConnectionAbortedError
        self._line.sendall(data)

    def pause(self, seconds: float) -> None:
        if self._over.wait(seconds):
            raise ConnectionAbortedError

    def hold(self) -> None:
        end = time.monotonic() + _IDLE_SECONDS
        while time.monotonic() < end and not self._over.wait(_LOOK_SECONDS):
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
        """End it from another thread."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)


def _request(method: str, path: str, headers: http.client.HTTPMessage, body: bytes) -> Request:
    target = headers.get("X-Amz-Target", "").rpartition(".")[2]
    form = parse_qs(body.decode("latin-1")) if "form" in headers.get("Content-Type", "") else {}
    members = _members(body) if target else {}
    signed = _SIGNED.search(headers.get("Authorization", ""))
    return Request(
        operation=target or form.get("Action", [f"{method} {path}"])[0],
        product_id=members.get("ProvisionedProductId"),
        token=members.get("PageToken"),
        key_id=signed[1] if signed else None,
        region=signed[2] if signed else None,
        headers=tuple(headers.items()),
        body=body,
    )


def _members(body: bytes) -> dict[str, str]:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _token(answer: Response) -> str | None:
    token = _members(answer.body).get("NextPageToken")
    return token if isinstance(token, str) else None


def _with_token(body: bytes, token: str | None) -> bytes:
    members = {name: value for name, value in _members(body).items() if name != "PageToken"}
    return json.dumps(members if token is None else {**members, "PageToken": token}).encode()
