"""A report or a comparison as a reader gets it: on the terminal, in Markdown, as a page."""

from reports.rendering.pages import html, markdown

__all__ = ["html", "markdown"]
