"""The callbacks in the real frameworks: a run that overfits on purpose is stopped, one that learns goes on."""

from __future__ import annotations

import builtins
import importlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from copilot.core.decisions import MonitorDecision
from copilot.errors import MissingPackageError

FRAMEWORKS = {"lightning": "Lightning", "keras": "Keras", "transformers": "Hugging Face"}
EPOCHS = 60
pytestmark = pytest.mark.slow  # importing a framework takes ten seconds or more


def _overfit_data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with labels drawn by lot: whatever is learnt of it is memorised."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(64, 32)).astype("float32"), rng.integers(0, 2, 64)


def _heard() -> tuple[list[MonitorDecision], Callable[[MonitorDecision], None]]:
    decisions: list[MonitorDecision] = []
    return decisions, decisions.append


def _saw_it(decisions: list[MonitorDecision]) -> None:
    assert decisions[-1].stop
    assert decisions[-1].verdict == "overfitting"
    assert len(decisions) < EPOCHS
    assert decisions[-1].quantity == "loss"


def _lightning_run(tmp_path: Path, callback, *, validate_every: int = 1):
    torch = pytest.importorskip("torch")
    pl = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    from torch.utils.data import DataLoader, TensorDataset

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))

        def _loss(self, batch, name: str):
            loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log(name, loss, on_epoch=True, on_step=False)
            return loss

        def training_step(self, batch, _):
            return self._loss(batch, "train_loss")

        def validation_step(self, batch, _):
            self._loss(batch, "val_loss")

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=5e-3)

    def loader(seed: int) -> DataLoader:
        images, labels = _overfit_data(seed)
        return DataLoader(TensorDataset(torch.from_numpy(images), torch.from_numpy(labels)), batch_size=32)

    pl.seed_everything(0, verbose=False)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        check_val_every_n_epoch=validate_every,
    )
    trainer.fit(Net(), loader(0), loader(1))
    return trainer


def test_lightning_is_stopped(tmp_path):
    pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    from copilot.integrations.callbacks.lightning import OverfitCallback

    decisions, hear = _heard()
    trainer = _lightning_run(tmp_path, OverfitCallback(on_decision=hear, total_epochs=EPOCHS))
    _saw_it(decisions)
    assert trainer.current_epoch == len(decisions)
    assert decisions[-1].epochs_left == EPOCHS - len(decisions)


def test_lightning_counts_a_validation_once_and_only_warns_when_told_so(tmp_path, caplog):
    pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    from copilot.integrations.callbacks.lightning import OverfitCallback

    callback = OverfitCallback(stop=False)
    with caplog.at_level(logging.WARNING, logger="mlops_copilot.monitor"):
        trainer = _lightning_run(tmp_path, callback, validate_every=2)
    assert trainer.current_epoch == EPOCHS
    (pair,) = callback.monitor.history().pairs
    assert np.isfinite(pair.val).sum() == EPOCHS // 2
    assert np.isfinite(pair.train).sum() == EPOCHS
    assert sum("Keep the checkpoint" in record.message for record in caplog.records) == 1


def test_lightning_knows_validation_by_the_monitors_own_patterns():
    pytest.importorskip("lightning.pytorch", reason="lightning is not installed")
    from copilot.integrations.callbacks.lightning import OverfitCallback

    callback = OverfitCallback(val_pattern="held/{}")
    trainer = SimpleNamespace(
        callback_metrics={"train_loss": 0.9, "held/loss": 1.0},
        current_epoch=0,
        sanity_checking=False,
        should_stop=False,
        strategy=SimpleNamespace(reduce_boolean_decision=lambda stop, all: stop),
    )
    for epoch in range(4):
        trainer.current_epoch = epoch
        if epoch % 2 == 0:
            callback.on_validation_end(trainer, None)
        callback.on_train_epoch_end(trainer, None)
    (pair,) = callback.monitor.history().pairs
    assert np.isfinite(pair.val).tolist() == [True, False, True, False]
    assert np.isfinite(pair.train).all()


def test_keras_is_stopped(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras", reason="keras is not installed")
    from copilot.integrations.callbacks.keras import OverfitCallback

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=loss, metrics=["accuracy"])
    decisions, hear = _heard()
    callback = OverfitCallback(on_decision=hear)
    fitted = model.fit(
        *_overfit_data(0), validation_data=_overfit_data(1), epochs=EPOCHS, verbose=0, callbacks=[callback]
    )
    _saw_it(decisions)
    assert len(fitted.epoch) == len(decisions)
    assert {p.quantity for p in callback.monitor.history().pairs} == {"loss", "accuracy"}


def test_hugging_face_trainer_is_stopped(tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="the Trainer needs accelerate, which is not installed")
    from copilot.integrations.callbacks.transformers import OverfitCallback

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))

        def forward(self, x, labels):
            logits = self.net(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    def data(seed: int) -> list[dict]:
        images, labels = _overfit_data(seed)
        return [{"x": torch.from_numpy(x), "labels": int(y)} for x, y in zip(images, labels, strict=True)]

    transformers.set_seed(0)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=32,
        learning_rate=5e-3,
        lr_scheduler_type="constant",
        eval_strategy="epoch",
        logging_strategy="epoch",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    decisions, hear = _heard()
    callback = OverfitCallback(on_decision=hear)
    trainer = transformers.Trainer(Net(), arguments, train_dataset=data(0), eval_dataset=data(1), callbacks=[callback])
    trainer.train()
    _saw_it(decisions)
    assert trainer.state.epoch == len(decisions)
    (pair,) = callback.monitor.history().pairs
    assert (pair.train_name, pair.val_name) == ("loss", "eval_loss")
    assert np.isfinite(pair.train).sum() >= len(decisions) - 1


@pytest.mark.parametrize("package", FRAMEWORKS)
def test_without_the_framework_one_line_says_what_to_install(package, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] in (package, f"pytorch_{package}"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, f"copilot.integrations.callbacks.{package}", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingPackageError, match=f"pip install {package}") as raised:
        importlib.import_module(f"copilot.integrations.callbacks.{package}")
    assert FRAMEWORKS[package] in str(raised.value)
    assert "\n" not in str(raised.value)
