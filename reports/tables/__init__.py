"""The tables of a report, laid out and in words, for any rendering."""

from reports.tables.values import format_value

__all__ = ["format_value"]
