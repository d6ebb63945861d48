"""The built-in skills. Their tools only read."""
