"""A server on loopback that answers as AWS does, and misbehaves as a test plans it."""
