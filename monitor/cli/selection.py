"""The option `--product`, which takes IDs and names."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from monitor.cli.errors import CommandError, ExitCode
from monitor.model.instances import Product


def unknown_products(wanted: Sequence[str], known: Iterable[Product]) -> Sequence[str]:
    """Return what is neither the ID nor the name of a known product."""
    names = {name for product in known for name in (product.id, product.name)}
    return [name for name in wanted if name not in names]


def select_products(wanted: Sequence[str], known: Sequence[Product]) -> Sequence[str]:
    """Return the IDs of the products with these IDs or names, each once. A name may be that of several products.

    Raises `CommandError` (usage) with a suggestion if there is no such product.
    """
    for name in unknown_products(wanted, known):
        names = {name for product in known for name in (product.id, product.name)}
        similar = get_close_matches(name, names, n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        message = f"--product: there is no product {name!r}{hint}"
        raise CommandError(message, ExitCode.USAGE)
    return list(dict.fromkeys(product.id for name in wanted for product in known if name in (product.id, product.name)))
