"""Lightning: ``Trainer(callbacks=[OverfitCallback()])``. Metrics are those that the module logs with ``self.log``."""

from __future__ import annotations

from typing import Any

from copilot.errors import MissingPackageError
from copilot.integrations.callbacks.listener import Listener

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    try:
        from pytorch_lightning.callbacks import Callback  # the same library under its older name
    except ImportError:
        raise MissingPackageError("The Lightning callback", "lightning") from None


class OverfitCallback(Listener, Callback):
    """Stops a Lightning run when validation has turned for good; see `Listener` for the parameters.

    It looks at the end of each training epoch; validation metrics of an earlier epoch do not count again.
    """

    _validated = False

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._validated = self._validated or not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        metrics = {n: v for n, v in trainer.callback_metrics.items() if self._validated or not self._of_validation(n)}
        self._validated = False
        stop = self.hear(trainer.current_epoch, metrics)
        trainer.should_stop = trainer.should_stop or trainer.strategy.reduce_boolean_decision(stop, all=False)

    def _of_validation(self, name: str) -> bool:
        parsed = self.monitor.parse(name)
        return parsed is not None and parsed.split in ("val", "test")
