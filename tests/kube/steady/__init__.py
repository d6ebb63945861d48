"""Steady talk on a real cluster, while one part after the other is taken away."""
