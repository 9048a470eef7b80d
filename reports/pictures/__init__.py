"""The pictures of a report, one module a kind, drawn from the files that the stages leave."""
