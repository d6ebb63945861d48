"""Talking to the Kubernetes API: requests, an informer, a work queue."""
