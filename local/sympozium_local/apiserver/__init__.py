"""A small server that speaks the Kubernetes API, over SQLite."""
