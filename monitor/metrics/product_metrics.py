"""What is counted and measured of one product, and its lines."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.metrics.text import escape, number
from monitor.model.diff import Transition
from monitor.model.errors import Reason, SkipReason
from monitor.model.instances import KNOWN_STATUSES, Anomaly, Status
from monitor.model.products import KNOWN_PRODUCT_STATUSES, ProductDetail, ProductStatus

ABSENT = "ABSENT"


def _zeros(labels: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(labels, 0))


@dataclass(slots=True)
class ProductMetrics:
    """The numbers of one product. Every series that is known beforehand begins with 0."""

    interval: float
    source: str
    up: bool = False
    last_success: float = 0.0
    duration: float = 0.0
    pages: int = 0
    polls: int = 0
    dropped: int = 0
    counts: Mapping[Status, int] | None = None
    """None where no snapshot is shown."""
    detail: ProductDetail | None = None
    """None where AWS has not said what it is."""
    failing: Reason | None = None
    """Why the last poll failed; None where it did not."""
    failures: Counter[str] = field(default_factory=lambda: _zeros(Reason))
    skipped: Counter[str] = field(default_factory=lambda: _zeros(SkipReason))
    anomalies: Counter[str] = field(default_factory=lambda: _zeros(Anomaly))
    transitions: Counter[tuple[str, str]] = field(
        default_factory=lambda: Counter(dict.fromkeys(permutations((*KNOWN_STATUSES, ABSENT), 2), 0))
    )

    def count(self, transitions: Iterable[Transition]) -> None:
        """Count transitions by what they were from and to."""
        for transition in transitions:
            self.transitions[transition.previous_status or ABSENT, transition.status or ABSENT] += 1

    def lines(self, labels: str) -> Mapping[Family, bytes]:
        """Return the sample lines of each family, for a product with these labels."""

        def one(family: Family, value: float) -> tuple[Family, bytes]:
            return family, f"{family.name}{{{labels}}} {number(value)}\n".encode()

        def many(family: Family, values: Mapping[Status, int] | Mapping[str, int]) -> tuple[Family, bytes]:
            label = family.labels[-1]
            return family, "".join(
                f'{family.name}{{{labels},{label}="{escape(key)}"}} {value}\n' for key, value in values.items()
            ).encode()

        transitions = "".join(
            f'{families.TRANSITIONS.name}{{{labels},from="{before}",to="{after}"}} {value}\n'
            for (before, after), value in self.transitions.items()
        )
        return dict(
            (
                many(families.INSTANCES, self.counts or {}),
                (families.TRANSITIONS, transitions.encode()),
                many(families.PRODUCT_STATUS, self._statuses()),
                (families.PRODUCT_INFO, self._info(labels)),
                one(families.UP, self.up),
                one(families.LAST_SUCCESS, self.last_success),
                one(families.INTERVAL, self.interval),
                one(families.DURATION, self.duration),
                one(families.PAGES, self.pages),
                one(families.POLLS, self.polls),
                many(families.FAILURES, self.failures),
                many(families.FAILING, {str(self.failing): 1} if self.failing else {}),
                many(families.SKIPPED, self.skipped),
                one(families.DROPPED, self.dropped),
                many(families.ANOMALIES, self.anomalies),
            )
        )

    def _statuses(self) -> Mapping[str, int]:
        if self.detail is None:
            return {}
        held = self.detail.status
        return {status: int(status is held) for status in ProductStatus if status in (*KNOWN_PRODUCT_STATUSES, held)}

    def _info(self, labels: str) -> bytes:
        detail = self.detail
        if detail is None:
            return b""
        names = families.PRODUCT_INFO.labels[len(families.PRODUCT) :]
        values = (detail.product_id, detail.provisioning_artifact_id, self.source, detail.account, detail.region)
        more = "".join(f',{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))
        return f"{families.PRODUCT_INFO.name}{{{labels}{more}}} 1\n".encode()
