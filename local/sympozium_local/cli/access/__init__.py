"""Reaching an API server as kubectl does: kubeconfig files, credentials, proxies."""
