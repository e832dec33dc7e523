"""A simulated AWS on loopback, for `demo` and the tests: moto, with the operations that it lacks."""
