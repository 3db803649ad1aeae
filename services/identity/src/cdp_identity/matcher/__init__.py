"""The role that proposes: which persons may be one though no identifier says so. Off the way of every event."""
