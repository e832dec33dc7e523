"""The test of `helm test`: wait until each pod is ready, then print its products. Arguments: the URLs of the pods.

The exit code is 1 if a pod does not get ready within two minutes, or if a product cannot be read.
"""

import re
import ssl
import sys
import time
from collections import defaultdict
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

FAMILIES = re.compile(r"servicecatalog_(up|poll_failing|stack_instances)\{")
UNAUTHORIZED = 401
# The certificate may have other names than the pods, so it is not verified.
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


def get(url: str) -> str:
    """Return the body of a response."""
    with urlopen(url, timeout=30, context=CONTEXT) as response:  # noqa: S310 - the URLs are in the manifest
        return str(response.read().decode())


def wait_until_ready(pod: str, attempts: int = 60, pause: float = 2) -> None:
    """Wait for status 200 of /readyz."""
    for _ in range(attempts):
        try:
            get(f"{pod}/readyz")
        except OSError as error:
            print(f"{pod} is not ready: {error}", flush=True)
            time.sleep(pause)
        else:
            print(f"{pod} is ready", flush=True)
            return
    sys.exit(f"{pod} did not get ready within {attempts * pause:.0f} s")


def show_products(pod: str) -> int:
    """Print one line per product, and return how many products could not be read."""
    try:
        metrics = get(f"{pod}/metrics")
    except HTTPError as error:
        if error.code != UNAUTHORIZED:
            raise
        print(f"{pod}/metrics requires a password, so its products are not shown", flush=True)
        return 0
    names: dict[str, str] = {}
    failing: dict[str, str] = {}
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    lines = (f"{line}\n" for line in metrics.split("\n") if FAMILIES.match(line))
    for family in text_string_to_metric_families("".join(lines)):
        for sample in family.samples:
            product = sample.labels["provisioned_product_id"]
            if sample.name == "servicecatalog_up":
                names[product] = sample.labels["provisioned_product_name"]
            elif sample.name == "servicecatalog_poll_failing":
                failing[product] = sample.labels["reason"]
            elif sample.value:
                counts[product][sample.labels["status"]] = int(sample.value)
    for product, name in sorted(names.items()):
        instances = ", ".join(f"{count} {status}" for status, count in sorted(counts[product].items()))
        failure = f"; the last poll failed: {failing[product]}" if product in failing else ""
        print(f"{product} {name!r}: {instances or 'no instances'}{failure}", flush=True)
    if not names:
        print(f"{pod} monitors no products yet", flush=True)
    return len(failing)


def main(pods: list[str]) -> None:
    """Test all pods."""
    for pod in pods:
        wait_until_ready(pod)
    failed = sum(show_products(pod) for pod in pods)
    if failed:
        sys.exit(f"products that cannot be read: {failed}; the log of the pod tells why")


if __name__ == "__main__":
    main(sys.argv[1:])
