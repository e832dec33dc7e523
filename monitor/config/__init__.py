"""The configuration file: read with its line numbers, checked as a whole, and turned into frozen settings."""
