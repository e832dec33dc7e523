"""The state on disk: the only room that knows SQLite."""
