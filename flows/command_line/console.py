"""Where tables are printed: as wide as the terminal, or of one width in a log or a pipe."""

from rich.console import Console

_WIDTH_OF_A_LOG = 132  # characters


def output_console() -> Console:
    """Standard output."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_A_LOG)
