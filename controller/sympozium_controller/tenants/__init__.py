"""Which namespaces are served: what is made in them when they come, and taken away when they go."""
