"""Suites that anyone can run against a part of their own; needs pytest."""
