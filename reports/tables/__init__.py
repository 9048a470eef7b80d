"""The tables of a report, laid out and in words, for any rendering."""
