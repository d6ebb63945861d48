"""The objects of the cluster that the router reads from local copies, and where it writes."""
