"""Tables of images: columns, splits, encodings, labels and rows that do not count."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from copilot.errors import InputError, NotFoundError
from copilot.integrations.images.manifest import ImageManifest


def put(folder, *names):
    for value, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3), value * 10).save(folder / name)


@pytest.fixture
def table(tmp_path):
    put(tmp_path, "a.png", "sub/b.png", "c d.png", "Grün-猫.png")

    def write(text, name="list.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        ("path,label,group\na.png,cat,1\nsub/b.png,dog,1\nGrün-猫.png,cat,2\n", "list.csv", "utf-8"),
        ("Class;File Name\r\ncat;a.png\r\ndog;sub\\b.png\r\ncat;Grün-猫.png\r\n", "list.csv", "utf-8-sig"),
        ("image\ttarget\na.png\tcat\nsub/b.png\tdog\nGrün-猫.png\tcat\n", "list.tsv", "utf-16"),
        ("a.png|cat\nsub/b.png|dog\nGrün-猫.png|cat\n", "list.csv", "utf-8"),
    ],
)
def test_columns_delimiter_and_encoding_are_told_from_the_text(table, text, name, encoding):
    images = ImageManifest(table(text, name, encoding))
    assert images.names == ("a.png", "sub/b.png", "Grün-猫.png")
    assert images.class_counts() == {"cat": 2, "dog": 1}
    assert images.read(images.sample()).shape == (3, 3, 4, 1)
    assert images.skipped == {}


def test_missing_columns_are_named_with_those_that_came(table):
    with pytest.raises(InputError, match="no column with the classes") as caught:
        ImageManifest(table("path,colour\na.png,red\n"))
    assert caught.value.hint == "Its columns are: path, colour."
    with pytest.raises(InputError, match="paths"):
        ImageManifest(table("x,label\na.png,red\n"))
    with pytest.raises(InputError, match="is empty"):
        ImageManifest(table("\n"))
    with pytest.raises(NotFoundError, match="not found"):
        ImageManifest("nowhere.csv")
    with pytest.raises(InputError, match="lists no image"):
        ImageManifest(table("path,label\n"))


def test_a_split_keeps_the_classes_of_the_whole_table(table):
    path = table("path,label,split\na.png,cat,train\nsub/b.png,dog,validation\nc d.png,eel,train\n")
    val = ImageManifest(path, "val")
    assert val.class_names == ("cat", "dog", "eel")
    assert val.labels.tolist() == [1]
    everything = ImageManifest(path)
    assert len(everything) == 3
    assert everything.notes == ("All rows were read, whatever their split: train (2), validation (1).",)
    with pytest.raises(InputError, match="no rows of the split test") as caught:
        ImageManifest(path, "test")
    assert caught.value.hint == "It has: train (2), validation (1)."
    with pytest.raises(InputError, match="no column with the splits"):
        ImageManifest(table("path,label\na.png,cat\n"), "val")


def test_numbers_are_classes_in_numeric_order(table):
    images = ImageManifest(table("path,label\na.png,10\nsub/b.png,2.0\nc d.png,0\n"))
    assert images.class_names == tuple(str(i) for i in range(11))
    assert images.labels.tolist() == [10, 2, 0]
    large = ImageManifest(table("path,label\na.png,5000000\nsub/b.png,7\n"))
    assert large.class_names == ("7", "5000000")
    assert large.labels.tolist() == [1, 0]


def test_rows_that_do_not_count_are_counted(table):
    text = "path,label\na.png,0\n./a.png,0\nsub/../a.png,1\nsub/b.png,\n,1\nc d.png,-1\nshort\n"
    images = ImageManifest(table(text))
    assert images.names == ("a.png",)
    assert images.notes == (
        "4 rows without a path or a label were left out.",
        "2 rows name an image again and were left out; 1 of them give another class.",
    )


def test_files_that_are_missing_or_broken_are_skipped(table, tmp_path):
    (tmp_path / "text.png").write_text("no")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    images = ImageManifest(table("path,label\na.png,0\ngone.png,0\ntext.png,1\nloop.png,1\nnul\0.png,1\n"))
    assert images.sample().tolist() == [0]
    assert set(images.skipped) == {"gone.png", "text.png", "loop.png", "nul .png"}
    assert len(images.fingerprint()) == 64


def test_names_that_look_alike_when_cleaned_stay_apart(table, tmp_path):
    put(tmp_path, "x\ny.png", "x y.png")
    images = ImageManifest(table('path,label\n"x\ny.png",0\nx y.png,1\n'))
    assert images.names == ("x y.png", "x y.png (2)")
    assert images.image(0)[0, 0, 0] == 0
    assert images.image(1)[0, 0, 0] == 10


def test_paths_may_be_absolute_or_lie_in_a_folder_of_images(table, tmp_path):
    other = tmp_path / "lists"
    other.mkdir()
    put(other, "images/z.png")
    (other / "l.csv").write_text(f"path,label\nz.png,0\n{tmp_path / 'a.png'},1\n../a.png,1\n")
    images = ImageManifest(other / "l.csv")
    assert images.sample().tolist() != []
    assert "z.png" not in images.skipped
    assert str(tmp_path / "a.png") not in images.skipped


def test_a_hundred_thousand_rows_open_without_touching_each_file(tmp_path, monkeypatch):
    rows = "".join(f"f/{i}.png,{i % 10}\n" for i in range(100_000))
    (tmp_path / "l.csv").write_text("path,label\n" + rows)
    looked_at = []
    monkeypatch.setattr("os.path.exists", lambda path: bool(looked_at.append(path)))
    images = ImageManifest(tmp_path / "l.csv")
    assert len(images) == 100_000
    assert np.bincount(images.labels).tolist() == [10_000] * 10
    assert len(looked_at) < 100
