"""To go once no step imports it: reports/catalogue.py has the type."""

from reports.catalogue import Value

__all__ = ["Value"]
