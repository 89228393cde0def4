"""A model and two image sets, looked at: one process asks the model and probes it, another runs Deepchecks."""
