"""The order of the work: one module a step, the command line, the doctor."""
