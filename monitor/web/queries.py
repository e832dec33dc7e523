"""What the parameters of the pages and the API mean."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.config.duration import parse_duration
from monitor.model.views import ProductView
from monitor.web.views import Views

# A page links to the same list of the API, with the parameters that were given: both need the same default.
DEFAULT_SINCE = "24h"


class ParameterError(ValueError):
    """A parameter without a meaning. The message is one sentence that begins with its name."""


class UnknownProductError(Exception):
    """No monitored product, or more than one, has an ID or a name. The message is one sentence."""


def find_product(views: Views, name: str) -> ProductView:
    """Return a product by its ID, or by its name if no other product has that.

    Raises:
        UnknownProductError: there is no such product, or several have the name.
    """
    if view := views.product(name):
        return view
    named = [view for view in views.products() if view.product.name == name]
    if len(named) == 1:
        return named[0]
    if not named:
        message = f"there is no product with the ID or name {name!r:.200}"
    else:
        message = f"{len(named)} products have the name {name!r:.200}: use one of the IDs {_ids(named)}"
    raise UnknownProductError(message)


def find_products(views: Views, names: Iterable[str]) -> list[ProductView]:
    """Return the products with these IDs or names, each once; every product if there are no names.

    Raises:
        UnknownProductError: there is no product of one of the names.
    """
    every = views.products()
    found: dict[str, ProductView] = {}
    for name in names:
        matching = [view for view in every if name in (view.product.id, view.product.name)]
        if not matching:
            message = f"product: there is no product with the ID or name {name!r:.200}"
            raise UnknownProductError(message)
        found |= {view.product.id: view for view in matching}
    return list(found.values()) if found else list(every)


def product_ids(views: Views, names: Iterable[str]) -> frozenset[str]:
    """Return the IDs of products by ID or name. One that is not monitored may be in the history: it stays an ID."""
    every = views.products()
    return frozenset(
        product_id
        for name in names
        for product_id in [view.product.id for view in every if view.product.name == name] or [name]
    )


def parse_since(text: str, now: datetime) -> datetime:
    """Return the moment that a duration before now or a time in RFC 3339 names.

    Raises:
        ParameterError: it is neither.
    """
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"since: {text!r:.80} is neither a duration like 24h nor a time like 2026-01-31T18:00:00Z"
        raise ParameterError(message) from None


def _ids(views: Iterable[ProductView]) -> str:
    return ", ".join(sorted(view.product.id for view in views))
