"""Hugging Face: ``Trainer(..., callbacks=[OverfitCallback()])``, with ``eval_strategy`` set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copilot.errors import MissingPackageError
from copilot.integrations.callbacks.listener import Listener

try:
    from transformers import TrainerCallback
except ImportError:
    raise MissingPackageError("The Hugging Face callback", "transformers") from None


class OverfitCallback(Listener, TrainerCallback):
    """Stops a Trainer when validation has turned for good; see `Listener` for the parameters.

    It looks at each evaluation; training loss is the mean of what was logged since the one before.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._losses: list[float] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self._losses.append(float(logs["loss"]))

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        losses, self._losses = getattr(self, "_losses", []), []
        seen = {**(metrics or {}), "loss": sum(losses) / len(losses) if losses else None}
        seen.pop("epoch", None)
        if state.epoch is not None and self.hear(state.epoch, seen):
            control.should_training_stop = True
