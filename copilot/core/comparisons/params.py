"""What a run's parameters say: which of them tell a configuration, which only identify the run, its fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

# Words that name a run, its place or its luck, not its configuration.
_IDENTIFIER = re.compile(
    r"(?:^|_)(?:seed|seeds|random_state|rng|path|paths|dir|directory|folder|root|file|files|filename|uri|url|id|ids|uuid|"
    r"guid|hash|sha|md5|digest|commit|host|hostname|user|username|device|devices|gpu|gpus|cuda|local_rank|world_size|port|"
    r"date|datetime|timestamp|created|start_time|ckpt|log|logs|logdir|logging|verbose|workers|note|notes|"
    r"description|comment|tags?|project|trial|trial_number|iteration_number|run|run_number|job)(?:$|_\d*$)|"
    r"^(?:resume_(?:from_)?)?checkpoint(?:$|_\d*$)"  # but gradient_checkpoint is a setting
)
_NAMES = re.compile(r"^(?:run|experiment|exp|project|job|user|host|file|checkpoint|trial|study|group|wandb)?_?name$")
_RESULT = re.compile(  # known only after training; final_dropout and last_layer_lr are settings
    r"^(?:best|final|last)_(?:(?:epoch|step|iter\w*|loss|acc\w*|score|metric|val(?!ue)\w*|train(?!able)\w*|test|error|"
    r"f1|auc|auroc|m?ap|m?iou|dice|precision|recall|mse|rmse|mae|model|checkpoint|ckpt)s?(?:$|_))|"
    r"^(?:stopped|early_stop(?:ped)?_at)_|_stopped$"
)
_FOLD = re.compile(
    r"^(?:cv|k|kfold|val|valid|test|current|cross_val(?:idation)?)?_?folds?(?:_?(?:id|idx|index|no|nr|num|number|i|k))?$|"
    r"^(?:cv|split)_?(?:id|idx|index|no|nr|num|number|i|iter(?:ation)?)$"
)
_COUNT = re.compile(
    r"^(?:n|num|number_of|total|k|cv)_?(?:cv_?)?(?:folds|splits)$|^(?:n|num)_?(?:k)?fold$|^(?:k|cv|folds|k_folds)$"
)
_SIZE = re.compile(
    r"^(?:n|num|size)?_?(?:train|training|val|valid|validation|test|data|dataset|samples|images)_?"
    r"(?:n|num|size|set_?size|samples|images|examples|count|rows)?$"
)
_GROWS = re.compile(  # what people change along with the size of the training set
    r"(?:fraction|percent|pct|portion|ratio|subset|subsample)|^(?:data|dataset)_?(?:version|share|rev|revision|split)?$|"
    r"^(?:n_|num_|max_|total_)?(?:epochs|steps|iterations)$|^batch_?size$|^steps_per_epoch$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FOLD_VALUE = re.compile(r"(?i)\s*(?:(?:fold|cv|split)[\s_#-]*)?(\d{1,4})(?:\.0+)?(?:\s*(?:of|/)\s*\d{1,4})?\s*")


@lru_cache(maxsize=8192)
def plain_name(name: str) -> str:
    """``trainer/learningRate`` as ``learning_rate``: the last part of a dotted name, in small letters."""
    last = re.split(r"[./:]", name.strip("./: "))[-1]
    return re.sub(r"[\s\-_]+", "_", _CAMEL.sub("_", last)).strip("_").lower()


def is_identifier(name: str) -> bool:
    """Whether a parameter only says which run it is (seed, name, path, id), or was known only after training."""
    plain = plain_name(name)
    return bool(_IDENTIFIER.search(plain) or _NAMES.match(plain) or _RESULT.search(plain) or is_fold_name(name))


def is_fold_name(name: str) -> bool:
    """Whether a parameter or tag holds the number of a fold or how many there are."""
    plain = plain_name(name)
    return bool(_FOLD.match(plain) or _COUNT.match(plain))


def is_size(name: str) -> bool:
    """Whether a parameter holds the size of a set of images."""
    return bool(_SIZE.match(plain_name(name)))


def is_held_out_size(name: str) -> bool:
    """Whether a parameter holds the size of a validation or test set, which shapes no model."""
    return is_size(name) and bool(re.search(r"val|test", plain_name(name)))


def moves_with_size(name: str) -> bool:
    """Whether a parameter usually changes with the size of the training set: a share, a version, epochs, the batch."""
    return is_size(name) or bool(_GROWS.search(plain_name(name)))


def fold_number(params: Mapping[str, Any]) -> int | None:
    """The number of the fold that a parameter or tag holds; ``fold_3`` and ``3/5`` read as 3."""
    for name, value in params.items():
        plain = plain_name(name)
        if _FOLD.match(plain) and not _COUNT.match(plain) and (found := _FOLD_VALUE.fullmatch(str(value)[:40])):
            return int(found[1])
    return None


def fold_count(params: Mapping[str, Any]) -> int | None:
    """How many folds there are, where a parameter such as ``n_folds`` says so."""
    for name, value in params.items():
        number = as_number(value) if _COUNT.match(plain_name(name)) else None
        if number is not None and 2 <= number <= 1000 and number.is_integer():
            return int(number)
    return None


def as_number(value: Any) -> float | None:
    """A finite number, or None; truth values are words."""
    if isinstance(value, bool):
        return None
    try:
        number = float(str(value)[:40])
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def configuration(params: Mapping[str, Any], without: Callable[[str], bool] | None = None) -> tuple:
    """What two runs of one configuration share: their parameters but for identifiers and those `without` names.

    Numbers count by value, so that ``0.1`` and ``0.10`` are one.
    """
    kept = []
    for name, value in params.items():
        if not is_identifier(name) and not (without and without(name)):
            number = as_number(value)
            kept.append((name, str(value) if number is None else repr(number)))
    return tuple(sorted(kept))
