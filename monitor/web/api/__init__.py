"""The JSON API: read-only, the same values as the pages. Imported with its first request."""
