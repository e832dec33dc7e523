"""A fast simulated Service Catalog that serves pages of stack instances, because moto is slower than the monitor.

Run as a program, it prints its URL and serves until its standard input ends.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fleets import REGIONS

PAGE = 20
CYCLE = 100
"""With `--changes`, this many listings change each instance once: 1 % in each listing."""


@dataclass
class Pages:
    """The listings. All products have the same instances."""

    instances: int
    changes: bool
    listings: dict[str, int] = field(default_factory=dict)

    def respond(self, request: dict[str, Any]) -> bytes:
        """Return the body of a response. A page token consists of the numbers of the listing and of the page."""
        if "Id" in request:
            described = {"Id": request["Id"], "Name": request["Id"], "Type": "CFN_STACKSET", "Status": "AVAILABLE"}
            return json.dumps({"ProvisionedProductDetail": described}).encode()
        if request.get("PageToken"):
            listing, page = map(int, request["PageToken"].split("/"))
        else:
            product = request["ProvisionedProductId"]
            listing, page = self.listings.get(product, -1) + 1, 0
            self.listings[product] = listing
        first, last = page * PAGE, min((page + 1) * PAGE, self.instances)
        items = ",".join(self._item(number, listing if self.changes else 0) for number in range(first, last))
        token = f',"NextPageToken":"{listing}/{page + 1}"' if last < self.instances else ""
        return f'{{"StackInstances":[{items}]{token}}}'.encode()

    def _item(self, number: int, listing: int) -> str:
        account = f"{100_000_000_000 + number // len(REGIONS) * 7_919:012}"
        flips = (listing - number * 7919 % CYCLE) // CYCLE
        status = "OUTDATED" if flips % 2 == 0 else "CURRENT"
        return f'{{"Account":"{account}","Region":"{REGIONS[number % len(REGIONS)]}","StackInstanceStatus":"{status}"}}'


class Connection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, pages: Pages, delay: float) -> None:
        """Respond to each request after `delay` seconds."""
        self._pages = pages
        self._delay = delay
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there as a whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode("latin-1").lower()
            length = int(next(line[15:] for line in head.split("\r\n") if line.startswith("content-length:")))
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            response = self._pages.respond(json.loads(body))
            headers = f"Content-Type: application/x-amz-json-1.1\r\nContent-Length: {len(response)}\r\n\r\n"
            head = f"HTTP/1.1 200 OK\r\n{headers}"
            asyncio.get_running_loop().call_later(self._delay, self._send, head.encode() + response)

    def _send(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)  # type: ignore[attr-defined] # a transport of a stream


async def _serve(pages: Pages, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(pages, delay), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, required=True, help="of each product")
    parser.add_argument("--changes", action="store_true", help="one in a hundred changes from listing to listing")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a page")
    chosen = parser.parse_args()
    asyncio.run(_serve(Pages(chosen.instances, chosen.changes), chosen.delay))


if __name__ == "__main__":
    main()
