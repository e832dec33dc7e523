"""Which products are polled: those that are listed and those that were found, each once. A pure function."""

from collections.abc import Mapping, Sequence

from monitor.configuration.settings import Settings, WatchedProduct
from monitor.fleet.instances import Product
from monitor.fleet.shard import Shard


def watch_list(
    settings: Settings, found: Mapping[str, Sequence[Product]], shard: Shard
) -> Mapping[str, WatchedProduct]:
    """Return the products of a share by their ids: first those that are listed, as they are listed.

    `found` has what was found in each source. A product that two sources find is read from the first of them.
    """
    watched = {one.product.id: one for one in settings.products}
    for source in settings.sources:
        if source.discover is None:
            continue
        for product in found.get(source.name, ()):
            watched.setdefault(
                product.id,
                WatchedProduct(product, source.name, settings.poll.interval, settings.poll.timeout, own_name=True),
            )
    return {product_id: one for product_id, one in watched.items() if shard.owns(product_id)}
