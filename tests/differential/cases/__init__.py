"""The cases, a module a topic."""
