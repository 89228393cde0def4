"""Real MLflow of several versions: their servers, their clients, and the stores that they leave."""
