"""When which product is polled, and by how many workers."""
