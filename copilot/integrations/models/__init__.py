"""Models: from an MLflow address to files here, and from files to something that predicts."""
