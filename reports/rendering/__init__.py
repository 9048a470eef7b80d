"""A report or a comparison as a reader gets it: on the terminal, in Markdown, as a page."""
