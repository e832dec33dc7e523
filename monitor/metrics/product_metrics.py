"""The numbers of one product that the polls update, and the sample lines rendered from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import permutations

from monitor.metrics import families
from monitor.metrics.families import Family, escape, number
from monitor.model.errors import Reason, SkipReason
from monitor.model.instances import KNOWN_STATUSES, Anomaly, Status
from monitor.model.products import KNOWN_PRODUCT_STATUSES, ProductDetail, ProductStatus
from monitor.poller.protocols import CompletedPoll, FailedPoll

# The label value of an instance that does not exist before or after a transition.
ABSENT = "ABSENT"


def _zeros(labels: Iterable[str]) -> Counter[str]:
    return Counter(dict.fromkeys(labels, 0))


@dataclass(slots=True)
class ProductMetrics:
    """The numbers of one product. Each series with known labels starts at 0, so that a rate of it is defined."""

    interval: float
    source: str
    up: bool = False
    last_success: float = 0.0
    """Unix time of the last complete listing."""
    duration: float = 0.0
    pages: int = 0
    polls: int = 0
    dropped: int = 0
    counts: Mapping[Status, int] | None = None
    """None if no snapshot is published."""
    detail: ProductDetail | None = None
    """None if AWS has not described the product."""
    failing: Reason | None = None
    """The reason of the last poll if it failed."""
    failures: Counter[str] = field(default_factory=lambda: _zeros(Reason))
    skipped: Counter[str] = field(default_factory=lambda: _zeros(SkipReason))
    anomalies: Counter[str] = field(default_factory=lambda: _zeros(Anomaly))
    transitions: Counter[tuple[str, str]] = field(
        default_factory=lambda: Counter(dict.fromkeys(permutations((*KNOWN_STATUSES, ABSENT), 2), 0))
    )

    def record_completed(self, poll: CompletedPoll) -> None:
        """Count a completed poll; its transitions only if they were committed, so that none is counted twice."""
        self.up, self.failing = True, None
        self.detail = poll.description.detail if poll.description else None
        self.polls += 1
        self.duration = round(poll.seconds, 6)
        self.pages = poll.listing.pages
        self.last_success = poll.change.snapshot.observed_at.timestamp()
        self.anomalies.update(poll.listing.anomalies)
        if poll.committed:
            for transition in poll.change.instance_transitions:
                self.transitions[transition.previous_status or ABSENT, transition.status or ABSENT] += 1

    def record_failed(self, poll: FailedPoll) -> None:
        """Count a failed poll."""
        self.up, self.failing = False, poll.error.reason
        if poll.error.reason is Reason.NOT_FOUND:
            self.detail = None
        elif poll.description:
            self.detail = poll.description.detail
        self.polls += 1
        self.duration = round(poll.seconds, 6)
        self.failures[poll.error.reason] += 1

    def lines(self, labels: str) -> Mapping[Family, bytes]:
        """Return the sample lines of each of PRODUCT_FAMILIES but DETAIL_FAMILIES for a product with these labels."""

        def sample(family: Family, value: float) -> bytes:
            return f"{family.name}{{{labels}}} {number(value)}\n".encode()

        def samples(family: Family, values: Mapping[Status, int] | Mapping[str, int]) -> bytes:
            start = f'{family.name}{{{labels},{family.labels[-1]}="'
            return "".join([f'{start}{escape(value)}"}} {count}\n' for value, count in values.items()]).encode()

        transitions = f"{families.TRANSITIONS.name}{{{labels}"
        return {
            families.INSTANCES: samples(families.INSTANCES, self.counts or {}),
            families.TRANSITIONS: "".join(
                [f'{transitions},from="{f}",to="{t}"}} {count}\n' for (f, t), count in self.transitions.items()]
            ).encode(),
            families.PRODUCT_STATUS: samples(families.PRODUCT_STATUS, self._statuses()),
            families.PRODUCT_INFO: self._info(labels),
            families.UP: sample(families.UP, self.up),
            families.LAST_SUCCESS: sample(families.LAST_SUCCESS, self.last_success),
            families.INTERVAL: sample(families.INTERVAL, self.interval),
            families.DURATION: sample(families.DURATION, self.duration),
            families.PAGES: sample(families.PAGES, self.pages),
            families.POLLS: sample(families.POLLS, self.polls),
            families.FAILURES: samples(families.FAILURES, self.failures),
            families.FAILING: samples(families.FAILING, {str(self.failing): 1} if self.failing else {}),
            families.SKIPPED: samples(families.SKIPPED, self.skipped),
            families.DROPPED: sample(families.DROPPED, self.dropped),
            families.ANOMALIES: samples(families.ANOMALIES, self.anomalies),
        }

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
