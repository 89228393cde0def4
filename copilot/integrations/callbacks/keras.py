"""Keras 3: ``model.fit(..., callbacks=[OverfitCallback()])``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copilot.errors import MissingPackageError
from copilot.integrations.callbacks.listener import Listener

try:
    from keras.callbacks import Callback
except ImportError:  # Keras itself, or the backend that KERAS_BACKEND names (tensorflow, if it names none)
    raise MissingPackageError("The Keras callback", "keras") from None


class OverfitCallback(Listener, Callback):
    """Stops ``fit`` when validation has turned for good; see `Listener` for the parameters."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self.hear(epoch, logs or {}):
            self.model.stop_training = True
