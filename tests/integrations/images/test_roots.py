"""What another process must be able to read for a set: enough to open it again in isolation, and little more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError
from copilot.integrations.images.custom import open_function
from copilot.integrations.images.opening import open_path
from copilot.utils.config import ImagesSettings
from copilot.utils.sandbox import isolation_available

# Opens each set again in a child of its own that may read its roots alone, and tells its fingerprint and all it holds.
REOPEN = """
    import hashlib, json, os, sys, tempfile
    from pathlib import Path
    from copilot.integrations.images.opening import open_path
    from copilot.utils import sandbox

    def told(named, task):
        images = open_path(named, task)
        assert not images.skipped
        seen = hashlib.sha256(images.fingerprint().encode())
        for i in range(len(images)):
            seen.update(images.image(i).tobytes())
            if images.task == "detection":
                seen.update(images.boxes(i).tobytes())
            if images.task == "segmentation":
                seen.update(images.mask(i).tobytes())
        return [len(images), list(images.class_names), seen.hexdigest()]

    for named, task, roots in json.load(sys.stdin):
        print(json.dumps(told(named, task)), flush=True)
        scratch = Path(tempfile.mkdtemp())
        if (pid := os.fork()) == 0:
            try:
                sandbox.enter(scratch, roots, "/nobody")
                answer = told(named, task)
            except BaseException as error:
                answer = repr(error)
            print(json.dumps(answer), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
"""


def image(path, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (6, 4), value).save(path)
    return path


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def folder(at):
    image(at / "data" / "cat" / "a.png")
    image(at / "kept" / "b.png")
    link(at / "data" / "cat" / "b.png", at / "kept" / "b.png")
    image(at / "elsewhere" / "c.png")
    link(at / "data" / "dog", at / "elsewhere")
    return at / "data", "", None, ["data", "elsewhere", "kept"]


def split_folder(at):
    for split in ("train", "val"):
        image(at / "data" / split / "cat" / "a.png")
    return at / "data", "#val", None, ["data"]


def manifest(at):
    image(at / "images" / "a.png")
    image(at / "far" / "b.png")
    (at / "lists").mkdir()
    (at / "lists" / "all.csv").write_text(f"path,label\n../images/a.png,x\n{at}/far/b.png,y\n")
    return at / "lists" / "all.csv", "", None, ["far", "images", "lists/all.csv"]


def arrays(at):
    (at / "data").mkdir()
    np.savez(at / "data" / "all.npz", x=np.zeros((3, 4, 6), np.uint8), y=np.arange(3))
    return at / "data" / "all.npz", "", None, ["data/all.npz"]


def coco(at, task="detection"):
    image(at / "data" / "images" / "a.png")
    rows = {
        "images": [{"id": 1, "file_name": "a.png", "width": 6, "height": 4}],
        "annotations": [
            {
                "image_id": 1,
                "category_id": 7,
                "bbox": [1, 1, 2, 2],
                "segmentation": {"size": [4, 6], "counts": [5, 2, 17]},
            }
        ],
        "categories": [{"id": 7, "name": "cat"}],
    }
    (at / "data" / "annotations").mkdir()
    (at / "data" / "annotations" / "instances_val.json").write_text(json.dumps(rows))
    return (
        at / "data" / "annotations" / "instances_val.json",
        "",
        task,
        [
            "data/annotations/instances_val.json",
            "data/images",
        ],
    )


def coco_masks(at):
    return coco(at, "segmentation")


def coco_folder(at):
    coco(at)
    return at / "data", "#val", "detection", ["data"]


def masks(at):
    for name in ("a", "b"):
        image(at / "data" / "images" / "val" / f"{name}.jpg")
        image(at / "data" / "masks" / "val" / f"{name}.png", 1)
    image(at / "kept" / "c.png", 2)
    image(at / "data" / "images" / "val" / "c.jpg")
    link(at / "data" / "masks" / "val" / "c.png", at / "kept" / "c.png")
    (at / "data" / "classes.txt").write_text("none\ncat\ndog\n")
    return at / "data", "#val", None, ["data", "kept"]


def yolo(at):
    for split in ("train", "val"):
        image(at / "sets" / "images" / split / "deep" / "a.png")
        image(at / "sets" / "images" / split / "empty.png")
        label = at / "sets" / "labels" / split / "deep" / "a.txt"
        label.parent.mkdir(parents=True)
        label.write_text("1 0.5 0.5 0.5 0.5\n")
    (at / "settings").mkdir()
    (at / "settings" / "data.yaml").write_text(
        "path: ../sets\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"
    )
    return (
        at / "settings" / "data.yaml",
        "#val",
        None,
        [
            "sets/images/val",
            "sets/labels/val/deep",
            "settings/data.yaml",
        ],
    )


def yolo_list(at):
    yolo(at)
    (at / "sets" / "lists").mkdir()
    (at / "sets" / "lists" / "val.txt").write_text("images/val/deep/a.png\n")
    config = at / "settings" / "data.yaml"
    config.write_text(config.read_text().replace("val: images/val", "val: lists/val.txt"))
    return (
        config,
        "#val",
        None,
        [
            "sets/images/val/deep",
            "sets/labels/val/deep",
            "sets/lists/val.txt",
            "settings/data.yaml",
        ],
    )


def yolo_folder(at):
    image(at / "all" / "val" / "images" / "a.png")
    (at / "all" / "val" / "labels").mkdir()
    (at / "all" / "val" / "labels" / "a.txt").write_text("1 0.5 0.5 0.5 0.5\n")
    (at / "all" / "data.yaml").write_text("val: val/images\nnames: [cat, dog]\n")
    return at / "all" / "val", "", None, ["all/data.yaml", "all/val"]


FORMS = [
    folder,
    split_folder,
    manifest,
    arrays,
    coco,
    coco_masks,
    coco_folder,
    masks,
    yolo,
    yolo_list,
    yolo_folder,
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    found = []
    for form in FORMS:
        at = Path(os.path.realpath(tmp_path_factory.mktemp(form.__name__)))
        path, split, task, expected = form(at)
        found.append((at, f"{path}{split}", task, expected))
    return found


@pytest.mark.parametrize("number", range(len(FORMS)), ids=[form.__name__ for form in FORMS])
def test_roots_are_what_is_read_and_no_more(cases, number):
    at, named, task, expected = cases[number]
    assert [str(p.relative_to(at)) for p in open_path(named, task).roots()] == expected


@pytest.mark.skipif(isolation_available() is not None, reason=str(isolation_available()))
def test_an_isolated_process_that_reads_the_roots_alone_sees_the_same_set(cases):
    asked = [(named, task, [str(p) for p in open_path(named, task).roots()]) for _, named, task, _ in cases]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    code = textwrap.dedent(REOPEN)
    run = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(asked), capture_output=True, text=True, check=True, env=env
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    for (_, named, _, _), free, isolated in zip(cases, lines[0::2], lines[1::2], strict=True):
        assert free == isolated, named
    assert len(lines) == 2 * len(FORMS)


def test_what_is_gone_is_no_root(tmp_path):
    image(tmp_path / "cat" / "a.png")
    images = open_path(str(tmp_path))
    images.read_from.append(tmp_path.parent / "gone")
    assert images.roots() == [Path(os.path.realpath(tmp_path))]


def test_sets_of_functions_have_no_roots(tmp_path, monkeypatch):
    image(tmp_path / "a.png")
    (tmp_path / "sets_of_mine.py").write_text("def pairs():\n    return [('a.png', 0)]\n")
    monkeypatch.chdir(tmp_path)
    images = open_function("sets_of_mine:pairs", ImagesSettings(allow_functions=True))
    assert len(images) == 1
    with pytest.raises(InputError, match="does not lie in files of this machine"):
        images.roots()
