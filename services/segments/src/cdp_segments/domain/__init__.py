"""The segment engine: pure functions over one person's record. Start with `engine`."""
