"""The same system on one machine: an embedded cluster, and the command line over it."""
