"""The whole system on one machine: which programs it has, and how they start, live and end."""
