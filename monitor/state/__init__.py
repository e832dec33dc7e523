"""The state that outlives the process; the only package that imports sqlite3."""
