"""What happens when a job is due: a worker polls a product or searches a source."""

from monitor.daemon.discovery import Discovery
from monitor.daemon.product_set import ProductSet
from monitor.daemon.protocols import EventLog, ProductMetrics, ProductPoller
from monitor.events.names import EventName
from monitor.model.errors import PollCancelledError, SkipReason
from monitor.schedule.workers import DiscoveryJob, Job, PollJob, Workers


class JobRunner:
    """Runs due jobs on workers."""

    def __init__(
        self,
        concurrency: int,
        product_set: ProductSet,
        poller: ProductPoller,
        discovery: Discovery,
        metrics: ProductMetrics,
        log: EventLog,
    ) -> None:
        """Start `concurrency` workers."""
        self._product_set = product_set
        self._poller = poller
        self._discovery = discovery
        self._metrics = metrics
        self._log = log
        self.workers = Workers(concurrency, self._run, self._on_error)

    def submit(self, job: Job) -> None:
        """Run a job that is due. A poll whose previous run has not ended is skipped and counted."""
        if isinstance(job, DiscoveryJob):
            self.workers.submit(job, job.source)
        elif (monitored := self._product_set.get(job.product_id)) and not self.workers.submit(job, monitored.source):
            self._metrics.skipped(monitored, SkipReason.OVERRUN)

    def misfired(self, job: Job, runs: int) -> None:
        """Count the polls that were missed because the process did not run."""
        if isinstance(job, PollJob) and (monitored := self._product_set.get(job.product_id)):
            self._metrics.skipped(monitored, SkipReason.MISFIRE, runs)

    def _run(self, job: Job) -> None:
        try:
            if isinstance(job, DiscoveryJob):
                self._discovery.search(job.source)
            else:
                self._poll(job.product_id)
        except PollCancelledError:
            return
        self._product_set.ended(job)

    def _poll(self, product_id: str) -> None:
        monitored = self._product_set.products.get(product_id)
        if monitored is None:
            raise PollCancelledError
        try:
            self._poller.poll(monitored)
        except PollCancelledError:
            if self._product_set.products.get(product_id) is monitored:  # the monitor stops
                raise
            # It left. If it returned, its first poll was due while this one was still running, and was skipped.
            self._poll(product_id)
            return
        if self._product_set.products.get(product_id) is not monitored and (now := self._product_set.get(product_id)):
            self._metrics.update(now)  # its settings changed, and the poll has published the old ones

    def _on_error(self, job: Job, error: Exception) -> None:
        """Log a defect. It counts as the first run of the job: the daemon becomes ready without it."""
        self._product_set.ended(job)
        if isinstance(job, DiscoveryJob):
            self._log.crash(EventName.DEFECT, error, source=job.source)
        else:
            self._log.crash(EventName.DEFECT, error, provisioned_product_id=job.product_id)
