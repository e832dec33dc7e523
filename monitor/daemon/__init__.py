"""The daemon: the rooms put together, started, looked after, reloaded and stopped."""
