"""The simulated AWS of `demo` on loopback: moto, with the Service Catalog operations that it lacks."""
