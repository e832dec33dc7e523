"""The IAM policies that a configuration needs."""
