"""What the monitor does, beside what a user would pick instead: `make bench`."""
