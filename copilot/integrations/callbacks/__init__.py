"""Callbacks that give a training framework's metrics to an `OverfitMonitor`; one framework a file, loaded by name."""
