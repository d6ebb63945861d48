"""What a chart cannot say: secrets made in the cluster, the first objects, and their removal."""
