"""One module a step of the work."""
