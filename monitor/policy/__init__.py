"""What AWS has to allow for a configuration to work."""
