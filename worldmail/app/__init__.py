"""From settings to a running server: assembly, the top service, the log, privileges."""
