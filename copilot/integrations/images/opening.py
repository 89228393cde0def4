"""From what a person typed to the images that it names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.arrays import open_npz
from copilot.integrations.images.base import ImageSet, Task
from copilot.integrations.images.boxes import not_this_task
from copilot.integrations.images.coco import CocoImages, find_annotations
from copilot.integrations.images.custom import open_function
from copilot.integrations.images.files import (
    NoSplitsError,
    are_splits,
    find_split,
    folders_in,
    has_image_ending,
    is_folder,
    listed,
    refuse_splits,
)
from copilot.integrations.images.folder import ImageFolder, class_folders
from copilot.integrations.images.manifest import ImageManifest
from copilot.integrations.images.masks import MaskFolder
from copilot.integrations.images.yolo import YoloImages, is_yolo_config
from copilot.utils.config import DvcSettings, ImagesSettings, MlflowSettings
from copilot.utils.validators import clean_text

FORMS = (
    "Images are named by a folder with one sub-folder per class, a CSV table, an .npz file, a COCO .json file, a YOLO "
    "data.yaml, a folder with images and labels or masks, dvc:REV:PATH, mlflow:RUN_ID#CONTEXT or module:function; "
    "#SPLIT chooses a split."
)
_FILES = (".csv", ".tsv", ".npz", ".json", ".yaml", ".yml")
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def open_images(
    named: str,
    *,
    images: ImagesSettings,
    dvc: DvcSettings | None = None,
    mlflow: MlflowSettings | None = None,
    task: Task | None = None,
) -> ImageSet:
    """The images that `named` stands for.

    ============================  ==================================================================================
    spelled                       what it is
    ============================  ==================================================================================
    ``DIR``                       one sub-folder per class (classification)
    ``DIR#val``                   the sub-folder of that split, and in it any form of a folder
    ``FILE.csv``, ``FILE.tsv``    a table of paths and labels; ``#val`` takes the rows of a split
    ``FILE.npz#train``            arrays of a split, such as ``x_train`` and ``y_train``
    ``FILE.npz#IMAGES:LABELS``    two arrays by their names
    ``FILE.json``                 COCO instances (detection, or segmentation if asked for), its images beside it
    ``DIR#val2017``               the same by ``DIR/annotations/instances_val2017.json``
    ``data.yaml#val``             a split of Ultralytics' YOLO (detection)
    ``DIR`` with images, labels   YOLO without its settings file; ``#val`` takes ``images/val``
    ``DIR`` with images, masks    masks of the same names (segmentation); ``#val`` as above
    ``dvc:REV:PATH``              one sub-folder per class in a tracked folder as a revision had it; without PATH
                                  the folder that the settings name; ``#val`` as above
    ``mlflow:RUN_ID#CONTEXT``     a dataset input of a run whose source is a path here
    ``module:function``           what a function of your own returns, where ``images.allow_functions`` is on
    ============================  ==================================================================================

    A ``#`` that is part of an existing path is no mark. ``val`` finds ``valid``, ``validation`` and the like.
    The text, the settings and the working folder are all that another process needs to open the same images.

    Parameters
    ----------
    named : str
    images, dvc, mlflow : sections of the settings
        Without `dvc` or `mlflow`, their defaults.
    task : {"classification", "detection", "segmentation"}, optional
        What the labels must be for. Default: what they are.

    Raises
    ------
    NotFoundError
        Nothing is there.
    InputError
        It is of no known form, or its labels are for another task.
    """
    if not named.strip():
        raise InputError("No images were named.", FORMS)
    try:
        found = _opened(named, images, dvc or DvcSettings(), mlflow or MlflowSettings(), task)
    except NoSplitsError as error:  # a plain one, which other processes know by its name
        raise InputError(error.message, error.hint) from error
    if task is not None and found.task != task:
        raise not_this_task(clean_text(named), found.task, task)
    return found


def _opened(
    named: str, images: ImagesSettings, dvc: DvcSettings, mlflow: MlflowSettings, task: Task | None
) -> ImageSet:
    if not _exists(named):
        if named.startswith("dvc:"):
            return _of_dvc(named, dvc)
        if named.startswith("mlflow:"):
            return _of_mlflow(named, mlflow, task)
        if _FUNCTION.fullmatch(named):
            return open_function(named, images)
    return open_path(named, task)


def open_path(named: str, task: Task | None = None) -> ImageSet:
    """Images on this machine: the forms of `open_images` that begin with a path. Nothing is imported or fetched."""
    path, split = _parted(named)
    if not _exists(path):
        raise NotFoundError(f"Images not found: {clean_text(named)}", FORMS)
    place = Path(path).expanduser()
    if is_folder(place):
        found = _of_folder(path, split, task)
        found.read_from.append(place)  # what form it has, and which splits, is seen there
        return found
    kind = place.suffix.lower()
    if kind in (".csv", ".tsv"):
        return ImageManifest(path, split)
    if kind == ".npz":
        return open_npz(path, split)
    if kind == ".json":
        if split is not None:
            raise NoSplitsError(
                f"{clean_text(path)} is one split, so that it takes no #{clean_text(split, 40)}.", FORMS
            )
        return CocoImages(path, _coco_task(task))
    if kind in (".yaml", ".yml"):
        return YoloImages(path, split)
    raise InputError(f"{clean_text(path)} is a {kind or 'file without an ending'}, no set of images.", FORMS)


def _parted(named: str) -> tuple[str, str | None]:
    """Path and the text behind the last ``#``; an existing path may hold one."""
    path, mark, split = named.rpartition("#")
    return (path, split or None) if mark and path and not _exists(named) else (named, None)


def _exists(path: str) -> bool:
    try:
        return os.path.exists(os.path.expanduser(path))
    except ValueError:  # a null character
        return False


def _of_folder(path: str, split: str | None, task: Task | None) -> ImageSet:
    folder = Path(path).expanduser()
    try:
        inner = class_folders(folder)
    except OSError as error:
        raise InputError(f"{clean_text(path)} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if (annotations := find_annotations(folder, split)) is not None:
        return CocoImages(annotations, _coco_task(task))
    config = folder / "data.yaml"
    if (split or not {"images", "labels"} <= set(inner)) and is_yolo_config(config):
        return YoloImages(config, split)
    for parts, opener in ((("images", "masks"), MaskFolder), (("images", "labels"), YoloImages)):
        if set(parts) <= set(inner):
            return opener(path, split)
    if split is not None:
        found = find_split(split, inner)
        if found is None:
            kind = InputError if any(are_splits([name]) for name in inner) else NoSplitsError
            raise kind(
                f"{clean_text(path)} has no folder for {clean_text(split, 40)}.",
                f"It holds: {listed(inner) or 'none'}.",
            )
        return _of_folder(os.path.join(path, found), None, task)
    return _of_classes(path, folder, inner)


def _of_classes(path: str, folder: Path, inner: list[str]) -> ImageSet:
    if are_splits(inner) and any(folders_in(folder / name) for name in inner):  # else they are classes of those names
        refuse_splits(inner, clean_text(path))
    try:
        return ImageFolder(path)
    except NotFoundError:
        raise
    except InputError as error:
        tables = sorted(name for name in os.listdir(folder) if name.lower().endswith(_FILES))
        loose = sum(map(has_image_ending, os.listdir(folder)))
        there = f"{len(inner)} folders ({listed(inner, 5)})" if inner else "no folders"
        there += f", {loose} images without a class" * bool(loose)
        there += f", the files {listed(tables, 5)}: name one of them" * bool(tables)
        raise InputError(f"{error.message.rstrip('.')}. Found there: {there}.", FORMS) from error


def _coco_task(task: Task | None) -> Task:
    return "segmentation" if task == "segmentation" else "detection"


def _of_dvc(named: str, settings: DvcSettings) -> ImageSet:
    from copilot.integrations.images.dvc_images import DvcImages

    _, rev, place = [*named.split(":", 2), ""][:3]
    path, _, split = place.partition("#")
    if not rev:
        raise InputError(f"{clean_text(named)} names no revision.", "Write dvc:REV:PATH, such as dvc:v1:data/images.")
    return DvcImages(rev, path, settings, split or None)


def _of_mlflow(named: str, settings: MlflowSettings, task: Task | None) -> ImageSet:
    from copilot.integrations.images.mlflow_inputs import input_path

    run_id, mark, context = named.removeprefix("mlflow:").partition("#")
    path, logged = input_path(run_id, context if mark else None, settings)
    try:
        return open_path(f"{path}#{logged}", task)
    except NoSplitsError:  # the source is that split alone
        return open_path(path, task)
