"""The order of the work: one module a stage, the command line, the doctor."""
