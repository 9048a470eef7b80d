"""Settings of hypothesis for all tests."""

from hypothesis import settings

# a test that passed passes again; `make test-random` tries examples that no run has tried
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("random", derandomize=False, print_blob=True)
settings.load_profile("repeatable")
