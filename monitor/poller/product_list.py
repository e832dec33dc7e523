"""Which products are monitored: the configured and the discovered ones, each once."""

from collections.abc import Mapping, Sequence

from monitor.config.settings import MonitoredProduct, Settings
from monitor.model.instances import Product
from monitor.model.shard import Shard


def monitored_products(
    settings: Settings, found: Mapping[str, Sequence[Product]], shard: Shard
) -> Mapping[str, MonitoredProduct]:
    """Return the products of a shard by id: first the configured ones, with their own settings.

    `found` has the discovered products by source. A product that two sources find is read from the one that is
    configured first.
    """
    monitored = {configured.product.id: configured for configured in settings.products}
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
    return {product_id: product for product_id, product in monitored.items() if shard.owns(product_id)}
