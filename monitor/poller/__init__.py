"""One poll of one product: what it needs, what it does, and how long it may take."""
