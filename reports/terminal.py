"""To go once no step imports it: reports/rendering/terminal.py prints a report."""

from reports.rendering.terminal import print_report

__all__ = ["print_report"]
