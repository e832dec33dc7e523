"""The paginator of botocore alone, on the schedule of a daemon: it reads all pages and discards them.

Run as a program. Without `--interval` it lists each product once for each line of standard input, and then prints a
line; with it, each product at its own moment of the interval until standard input ends.
"""

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO

import boto3
from botocore.config import Config


@contextmanager
def bare(products: int, concurrency: int, interval: float = 0.0) -> "Iterator[BareProcess]":
    """Run the program until the end of the block, with the endpoint of the environment."""
    command = [sys.executable, "-m", "benchmarks.bare", str(products), str(concurrency), "--interval", str(interval)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield BareProcess(process.pid, process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


class BareProcess:
    """The running program."""

    def __init__(self, pid: int, requests: IO[str], responses: IO[str]) -> None:
        """Use its standard input and output."""
        self.pid = pid
        self._requests = requests
        self._responses = responses

    def round(self) -> None:
        """List each product once."""
        self._requests.write("\n")
        self._requests.flush()
        self._responses.readline()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("products", type=int)
    parser.add_argument("concurrency", type=int)
    parser.add_argument("--interval", type=float, default=0.0)
    chosen = parser.parse_args()
    client = boto3.client(
        "servicecatalog", region_name="eu-west-1", config=Config(max_pool_connections=chosen.concurrency)
    )
    paginator = client.get_paginator("list_stack_instances_for_provisioned_product")
    # Other products than those of the daemon: with changes, the pages depend on the number of the listing.
    products = [f"pp-{900_000_000 + number:013}" for number in range(chosen.products)]

    def listing(product: str) -> None:
        for _ in paginator.paginate(ProvisionedProductId=product, PaginationConfig={"PageSize": 20}):
            pass

    with ThreadPoolExecutor(chosen.concurrency) as pool:
        if chosen.interval:
            ended = threading.Event()

            def wait_for_end() -> None:
                sys.stdin.read()
                ended.set()

            threading.Thread(target=wait_for_end, daemon=True).start()
            pause, due = chosen.interval / len(products), time.monotonic()
            while not ended.is_set():
                for product in products:
                    pool.submit(listing, product)
                    due += pause
                    ended.wait(max(0.0, due - time.monotonic()))
        for _ in sys.stdin:
            list(pool.map(listing, products))
            sys.stdout.write("\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
