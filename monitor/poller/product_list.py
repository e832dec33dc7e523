"""Which products are polled: those that are listed and those that were found, each once. A pure function."""

from collections.abc import Mapping, Sequence

from monitor.config.settings import MonitoredProduct, Settings
from monitor.model.instances import Product
from monitor.model.shard import Shard


def monitored_products(
    settings: Settings, found: Mapping[str, Sequence[Product]], shard: Shard
) -> Mapping[str, MonitoredProduct]:
    """Return the products of a share by their ids: first those that are listed, as they are listed.

    `found` has what was found in each source. A product that two sources find is read from the first of them.
    """
    monitored = {one.product.id: one for one in settings.products}
    for source in settings.sources:
        if source.discover is None:
            continue
        for product in found.get(source.name, ()):
            discovered = MonitoredProduct(
                product=product,
                source=source.name,
                interval=settings.poll.interval,
                timeout=settings.poll.timeout,
                own_name=True,
                adaptive_timeout=settings.poll.adaptive_timeout,
            )
            monitored.setdefault(product.id, discovered)
    return {product_id: one for product_id, one in monitored.items() if shard.owns(product_id)}
