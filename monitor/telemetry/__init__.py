"""The monitor's own metrics: the only room that knows prometheus_client."""
