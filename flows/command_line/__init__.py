"""Options, console output and progress that the steps share."""
