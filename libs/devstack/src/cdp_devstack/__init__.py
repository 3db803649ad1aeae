"""Servers for trying, testing and benchmarking Tessera on one machine."""
