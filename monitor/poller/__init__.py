"""Poll one product: the pipeline, the Protocols it needs, and how long it may take."""
