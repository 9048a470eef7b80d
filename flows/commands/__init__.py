"""One module a command: the stages, and what serves all of them."""
