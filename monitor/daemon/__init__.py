"""The daemon: assembles the parts, starts, supervises, reloads and stops them."""
