"""Tests, in the rooms of the package that they are about; `e2e` has those that run the daemon as a process."""
