"""What the numbers mean: the metric record, operation counts, and rendering."""
