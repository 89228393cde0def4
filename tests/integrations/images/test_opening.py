"""What people type, and which images it opens."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.opening import open_images
from copilot.utils.config import DvcSettings, ImagesSettings


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(folder / name)
    return folder


def opened(named, **more):
    return open_images(str(named), images=ImagesSettings(), **more)


def test_each_form_is_told_from_what_is_there(tmp_path):
    coco = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [], "categories": [{"id": 1, "name": "a"}]}
    classes = put(tmp_path / "classes", "train/cat/1.png", "train/dog/1.png", "val/cat/1.png")
    (tmp_path / "list.csv").write_text("path,label\nclasses/val/cat/1.png,cat\n")
    np.savez(tmp_path / "x.npz", x_train=np.zeros((2, 4, 4), np.uint8), y_train=[0, 1])
    put(tmp_path / "coco", "val2017/1.png", "annotations/none.png")
    (tmp_path / "coco/annotations/instances_val2017.json").write_text(json.dumps(coco))
    put(tmp_path / "yolo", "images/val/1.png", "labels/val/x.png")
    (tmp_path / "yolo/data.yaml").write_text("val: images/val\nnames: [a]")
    put(tmp_path / "masks", "images/1.png", "masks/1.png")
    forms = {
        f"{classes}#train": ("ImageFolder", "classification", 2),
        f"{classes}#validation": ("ImageFolder", "classification", 1),
        f"{classes}/val": ("ImageFolder", "classification", 1),
        f"{tmp_path}/list.csv": ("ImageManifest", "classification", 1),
        f"{tmp_path}/x.npz#train": ("ImageArrays", "classification", 2),
        f"{tmp_path}/x.npz#x_train:y_train": ("ImageArrays", "classification", 2),
        f"{tmp_path}/coco#val2017": ("CocoImages", "detection", 1),
        f"{tmp_path}/coco#val": ("CocoImages", "detection", 1),
        f"{tmp_path}/coco": ("CocoImages", "detection", 1),
        f"{tmp_path}/coco/annotations/instances_val2017.json": ("CocoImages", "detection", 1),
        f"{tmp_path}/yolo/data.yaml#val": ("YoloImages", "detection", 1),
        f"{tmp_path}/yolo#val": ("YoloImages", "detection", 1),
        f"{tmp_path}/masks": ("MaskFolder", "segmentation", 1),
    }
    for named, (form, task, count) in forms.items():
        images = opened(named)
        assert (type(images).__name__, images.task, len(images)) == (form, task, count), named
        assert opened(named, task=task).fingerprint() == images.fingerprint()
    assert opened(f"{tmp_path}/coco", task="segmentation").class_names == ("background", "a")
    with pytest.raises(InputError, match="labels for detection, not for classification"):
        opened(f"{tmp_path}/coco", task="classification")
    with pytest.raises(InputError, match="takes no #val") as caught:
        opened(f"{tmp_path}/coco/annotations/instances_val2017.json#val")
    assert type(caught.value) is InputError
    with pytest.raises(InputError, match="not for segmentation"):
        opened(f"{tmp_path}/yolo#val", task="segmentation")


def test_splits_are_not_taken_for_classes(tmp_path):
    put(tmp_path, "train/cat/1.png", "val/cat/1.png")
    with pytest.raises(InputError, match="holds splits: train, val") as caught:
        opened(tmp_path)
    assert caught.value.hint == f"Name one: {tmp_path}#val."
    with pytest.raises(InputError, match="no folder for test"):
        opened(f"{tmp_path}#test")
    vehicles = put(tmp_path / "vehicles", "train/1.png", "test/1.png")
    assert opened(vehicles).class_names == ("test", "train")


@pytest.mark.parametrize("name", ["a b", "Grün-猫", "new\nline", "c#d", "#", "x: y", "dvc:v1", "%2e", "-dash", "$HOME"])
def test_names_of_folders_may_be_anything(tmp_path, name, monkeypatch):
    put(tmp_path / name, "train/cat/1.png", "train/dog/1.png")
    assert len(opened(f"{tmp_path / name}/train")) == 2
    assert len(opened(f"{tmp_path / name}#train")) == 2
    monkeypatch.chdir(tmp_path)
    assert len(opened(f"{name}/train")) == 2


def test_links_that_lead_in_circles(tmp_path):
    put(tmp_path, "cat/1.png", "dog/1.png")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "cat" / "again").symlink_to(tmp_path)
    put(tmp_path / "elsewhere", "1.png").rename(tmp_path.parent / f"{tmp_path.name}-eel")
    (tmp_path / "eel").symlink_to(tmp_path.parent / f"{tmp_path.name}-eel")
    images = opened(tmp_path)
    assert images.names == ("cat/1.png", "dog/1.png", "eel/1.png")
    with pytest.raises(NotFoundError):
        opened(tmp_path / "self")


def test_hidden_files_are_no_images(tmp_path):
    put(
        tmp_path, "cat/1.png", "cat/._1.png", "cat/.ipynb_checkpoints/1.png", "__MACOSX/cat/1.png", "cat/__MACOSX/2.png"
    )
    assert opened(tmp_path).names == ("cat/1.png",)


def test_settings_of_something_else_do_not_make_a_folder_yolo(tmp_path):
    put(tmp_path, "cat/1.png")
    (tmp_path / "data.yaml").write_text("stages: [train]")
    assert opened(tmp_path).class_names == ("cat",)


def test_what_was_found_is_said(tmp_path):
    (tmp_path / "a").mkdir()
    put(tmp_path, "loose.png")
    (tmp_path / "labels.csv").write_text("path,label\n")
    with pytest.raises(InputError, match="holds no images in class folders") as caught:
        opened(tmp_path)
    assert caught.value.message.endswith(
        "Found there: 1 folders (a), 1 images without a class, the files labels.csv: name one of them."
    )
    assert "dvc:REV:PATH" in caught.value.hint
    (tmp_path / "x.tar").write_text("")
    for named, line in ((tmp_path / "x.tar", "is a .tar"), ("", "No images were named"), ("nowhere", "not found")):
        with pytest.raises(InputError, match=line):
            opened(named)
    with pytest.raises(NotFoundError, match="not found"):
        opened("nul\0byte")


def test_the_other_forms_are_reached(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="names a function"):
        opened("my.module:load")
    with pytest.raises(InputError, match="names no revision"):
        opened("dvc:")
    with pytest.raises(InputError, match="no Git repository with DVC"):
        opened("dvc:v1:images", dvc=DvcSettings(repo=str(tmp_path)))
    with pytest.raises(InputError, match=r"(?i)tracking"):
        opened(f"mlflow:{'a' * 32}#training")


def test_the_name_and_the_settings_are_enough_for_another_process(tmp_path):
    put(tmp_path, "cat/1.png", "dog/1.png")
    sent = json.loads(json.dumps([str(tmp_path), ImagesSettings().model_dump(), DvcSettings().model_dump()]))
    again = open_images(sent[0], images=ImagesSettings(**sent[1]), dvc=DvcSettings(**sent[2]))
    assert again.fingerprint() == opened(tmp_path).fingerprint()


def test_sampling_decodes_each_image_once(tmp_path, monkeypatch):
    from copilot.integrations.images import files

    put(tmp_path, *(f"cat/{i}.png" for i in range(20)))
    calls = []
    whole = files.decoded
    monkeypatch.setattr(files, "decoded", lambda file: calls.append(file) or whole(file))
    images = opened(tmp_path)
    indices = images.sample(5)
    assert images.read(indices).shape == (5, 4, 4, 1)
    assert len(calls) == 5
    assert images.read(indices[:1]).shape == (1, 4, 4, 1)
    assert len(calls) == 6
