"""Deepchecks suites. Deepchecks is AGPL-3.0 and slow: only `engine` imports it, in a supervised child."""
