"""Simulated products of any size, with the state file and the configuration of a daemon that monitors them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Listing, Product, Status
from monitor.state.sqlite import SqliteStore

REGIONS = (
    "eu-west-1", "eu-central-1", "us-east-1", "us-west-2",
    "ap-southeast-2", "ap-northeast-1", "sa-east-1", "ca-central-1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fleet:
    """A number of products with a number of instances each, of which 1 % is not CURRENT."""

    products: int
    instances: int

    @property
    def size(self) -> int:
        """Instances of all products."""
        return self.products * self.instances

    def product(self, number: int) -> Product:
        """Return a product."""
        return Product(f"pp-{number:013}", f"baseline-{number}")

    def statuses(self) -> Mapping[InstanceKey, Status]:
        """Return the instances of each product. Their strings are not shared, like those of AWS responses."""
        not_current = (Status.OUTDATED, Status.INOPERABLE)
        return {
            (f"{100_000_000_000 + n // len(REGIONS) * 7_919:012}", str(REGIONS[n % len(REGIONS)])): (
                not_current[n // 100 % 2] if n % 100 == 99 else Status.CURRENT  # noqa: PLR2004 - one of a hundred
            )
            for n in range(self.instances)
        }

    def store(self, path: Path, statuses: Mapping[InstanceKey, Status] | None = None) -> None:
        """Write the state file that the first poll of each product would leave."""
        path.parent.mkdir(parents=True, exist_ok=True)
        state = SqliteStore(path)
        now = datetime.now(UTC).replace(microsecond=0)
        statuses = statuses or self.statuses()
        for number in range(self.products):
            listing = Listing(statuses, -(-self.instances // 20), {})
            state.commit(diff(None, listing, self.product(number), f"poll-{number}", now))
        state.close()

    def configuration(
        self,
        folder: Path,
        *,
        interval: str = "1h",
        concurrency: int = 16,
        metrics: str = "{}",
        log: str = "{}",
    ) -> Path:
        """Write a configuration that monitors all products, and return its path. The state is in the same folder."""
        path = folder / "monitor.yaml"
        lines = (
            f"poll: {{interval: {interval}, concurrency: {concurrency}}}",
            "sources: [{name: default, region: eu-west-1, calls_per_second: 1000}]",
            f"metrics: {metrics}",
            f"log: {log}",
            f"state: {{path: {folder / 'monitor.db'}}}",
            "web: {listen: '127.0.0.1:0'}",
            "products:",
            *(
                f"  - {{id: {product.id}, name: {product.name}, source: default}}"
                for product in map(self.product, range(self.products))
            ),
        )
        path.write_text("\n".join(lines) + "\n")
        return path
