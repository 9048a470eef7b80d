"""Options, console output and progress that the stages share."""
