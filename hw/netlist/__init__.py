"""Mapped netlists: cell libraries, timing, equivalence."""
