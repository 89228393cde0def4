"""The last lines of a training script: judge what was just trained, write it into the run, stop where it is bad."""

import mlflow

from mlops_copilot import after_training

with mlflow.start_run() as run:
    ...  # train, mlflow.log_metrics(...), and at last:
    # mlflow.pytorch.log_model(model, name="model", serialization_format="pt2", input_example=images[:2])

# Curves alone: after_training(fail_on="high"). With images, the model is probed and Deepchecks looks at both sets.
after_training("data/train", "data/val", fail_on="high")  # raises QualityGateError, so that the script exits with 1
