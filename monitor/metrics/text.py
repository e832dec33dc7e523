"""Label values, numbers and labels as both formats write them (Prometheus text 0.0.4 and OpenMetrics 1.0)."""

from monitor.model.instances import Product

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escape(value: str) -> str:
    """Escape a label value. A lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    if value.isascii() and not ("\\" in value or '"' in value or "\n" in value):
        return value  # as every account and Region: ten times faster
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode()


def number(value: float) -> str:
    """Write a value so that it is read back exactly, whole numbers without a point."""
    return str(int(value)) if value == int(value) else repr(value)


def product_labels(product: Product) -> str:
    """Return the two labels that every series of a product begins with, without braces."""
    return f'provisioned_product_id="{escape(product.id)}",provisioned_product_name="{escape(product.name)}"'
