"""How the programs' container images are made: `make images`."""
