"""Runs stages: typed handlers over micro-batches, at least once and safe twice."""
