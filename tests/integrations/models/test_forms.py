"""What is told of a model's file before it is loaded: whether it has to be unpickled, is whole, and its files."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import _weights_only_unpickler

from copilot.errors import InputError
from copilot.integrations.models.external_weights import files_of
from copilot.integrations.models.forms import _PLAIN, holds_only_tensors, needs_unpickling
from copilot.integrations.models.loader import load_model
from copilot.integrations.models.spec import ModelFiles

NET = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))


def files(path):
    return ModelFiles(uri="x", path=str(path))


class Bait:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return exec, ("import os; os.mkdir('was_here')",)


def of_torch(path, content, **options):
    torch.save(content, path, **options)
    return path


def exported(path):
    torch.export.save(torch.export.export(NET, (torch.zeros(2, 1, 2, 2),)), path)
    return path


def scripted(path):
    torch.jit.trace(NET, torch.zeros(1, 1, 2, 2)).save(str(path))
    return path


def with_record(path, change, ending):
    """A copy of an archive with one record changed."""
    copy = path.with_name(f"copy_{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name.endswith(ending) else content)
    return copy


HARMLESS = {
    "weights": lambda at: of_torch(at / "m.pt", NET.state_dict()),
    "weights of many types": lambda at: of_torch(
        at / "m.pt",
        {str(t): torch.zeros(2, dtype=t) for t in (torch.float16, torch.bfloat16, torch.int8, torch.bool)}
        | {"device": torch.device("cpu")}
        | {
            "p": torch.nn.Parameter(torch.ones(2)),
            "of": torch.float32,
            "on": torch.device("cpu"),
            "n": torch.Size([2]),
        },
    ),
    "a checkpoint": lambda at: of_torch(at / "m.pth", {"epoch": 3, "state_dict": NET.state_dict(), "lr": [0.1]}),
    "an old file": lambda at: of_torch(at / "m.pt", NET.state_dict(), _use_new_zipfile_serialization=False),
    "TorchScript": lambda at: scripted(at / "m.pt"),
    "an exported program": lambda at: exported(at / "m.pt2"),
}
PICKLED = {
    "a module": lambda at: of_torch(at / "m.pt", NET),
    "a module in an old file": lambda at: of_torch(at / "m.pt", NET, _use_new_zipfile_serialization=False),
    "a command": lambda at: of_torch(at / "m.pt", {"state_dict": NET.state_dict(), "x": Bait()}),
    "a command by a newer protocol": lambda at: of_torch(at / "m.pt", Bait(), pickle_protocol=4),
    "a command in a plain pickle": lambda at: at.joinpath("m.pt").write_bytes(pickle.dumps(Bait())) and at / "m.pt",
    "a pickled tensor": lambda at: with_record(
        exported(at / "m.pt2"),
        lambda content: content.replace(b'"use_pickle": false', b'"use_pickle": true'),
        "weights_config.json",
    ),
}


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS)
def test_what_is_never_unpickled(tmp_path, make):
    assert not needs_unpickling(files(make(tmp_path)))


@pytest.mark.parametrize("make", PICKLED.values(), ids=PICKLED)
def test_what_has_to_be_unpickled_is_told_and_not_run(tmp_path, monkeypatch, make):
    path = make(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert needs_unpickling(files(path))
    with pytest.raises(InputError, match=r"is pickled|could run code"):
        load_model(path)
    assert not (tmp_path / "was_here").exists()


def test_the_bait_is_alive(tmp_path, monkeypatch):
    path = PICKLED["a command"](tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.load(path, weights_only=False)
    assert (tmp_path / "was_here").is_dir()


def test_names_that_count_as_plain_are_those_that_torch_takes_without_asking():
    taken = _weights_only_unpickler._get_allowed_globals()
    plain = [name for name in taken if _PLAIN.fullmatch(" ".join(name.rsplit(".", 1)))]
    assert len(plain) > 40
    for name in (
        "os system",
        "builtins exec",
        "torch load",
        "torch.hub load",
        "torch._utils _rebuild_x",
        "torch Storag",
    ):
        assert not _PLAIN.fullmatch(name)
    for name in ("torch FloatStorage", "torch._utils _rebuild_tensor_v2", "collections OrderedDict", "torch float16"):
        assert name.replace(" ", ".") in plain


@pytest.mark.parametrize("form", ["weights", "an old file", "TorchScript", "an exported program"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_files_that_are_cut_off_are_told_as_damaged(tmp_path, form, share):
    path = HARMLESS[form](tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert not needs_unpickling(files(path))
    with pytest.raises(InputError, match=r"is damaged|is not a whole") as caught:
        load_model(path)
    assert "pickled" not in str(caught.value)


def test_weights_without_names_are_told(tmp_path):
    path = of_torch(tmp_path / "m.pt", [torch.ones(2)])
    assert holds_only_tensors(path)
    with pytest.raises(InputError, match="holds no weights by name: list"):
        load_model(path)


def test_looking_imports_no_torch(tmp_path):
    path = HARMLESS["weights"](tmp_path)
    code = (
        "import sys\n"
        "from copilot.integrations.models.forms import needs_unpickling\n"
        "from copilot.integrations.models.external_weights import files_of\n"
        "from copilot.integrations.models.spec import ModelFiles\n"
        f"files = ModelFiles(uri='x', path={str(path)!r})\n"
        "print(needs_unpickling(files), len(files_of(files)), {'torch', 'onnx', 'onnxruntime'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False 1 set()"


def with_weights_beside(folder):
    """An ONNX model with tensors in files: its own, those of a branch and of a function, a sparse one, a link out."""
    onnx = pytest.importorskip("onnx", reason="ONNX models are made with onnx")
    make, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info

    def tensor(name, location):
        made = onnx.numpy_helper.from_array(np.ones(4, np.float32), name)
        onnx.external_data_helper.set_external_data(made, location=location, offset=8, length=16)
        made.ClearField("raw_data")
        return made

    out = [value("b", onnx.TensorProto.FLOAT, None)]
    branch = onnx.helper.make_graph([make("Constant", [], ["b"], value=tensor("c", "sub/branch.bin"))], "t", [], out)
    indices = onnx.numpy_helper.from_array(np.arange(4), "i")
    sparse = onnx.helper.make_sparse_tensor(tensor("v", "sparse.bin"), indices, [9])
    nodes = [
        make("If", ["yes"], ["y"], then_branch=branch, else_branch=branch),
        make("Constant", [], ["s"], sparse_value=sparse),
    ]
    inner = [make("Constant", [], ["z"], value=tensor("f", "function.bin"))]
    function = onnx.helper.make_function("own", "f", [], ["z"], inner, [onnx.helper.make_opsetid("", 17)])
    inside = onnx.numpy_helper.from_array(np.arange(300, dtype=np.float32), "inside")
    weights = [tensor("w", "net.onnx.data"), tensor("o", "../secret"), tensor("l", "link"), tensor("g", "gone"), inside]
    graph = onnx.helper.make_graph(nodes, "net", [value("x", onnx.TensorProto.FLOAT, [1])], out, weights)
    model = onnx.helper.make_model(graph, functions=[function])
    (folder / "sub").mkdir(parents=True)
    for name in ("net.onnx.data", "sub/branch.bin", "sparse.bin", "function.bin", "../secret", "net_other.bin"):
        (folder / name).write_bytes(bytes(64))
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    return folder / "net.onnx"


def test_the_files_of_an_onnx_model_are_those_that_its_graph_names(tmp_path):
    path = with_weights_beside(tmp_path / "model")
    found = files_of(files(path))
    assert found[0] == path
    names = {str(p.relative_to(path.parent)) for p in found}
    assert names == {"net.onnx", "net.onnx.data", "sub/branch.bin", "sparse.bin", "function.bin"}
    assert files_of(files(path.parent)) == [path.parent]


def test_of_an_onnx_model_that_cannot_be_read_the_files_called_like_it_count(tmp_path):
    path = with_weights_beside(tmp_path / "model")
    path.write_bytes(path.read_bytes()[:100])
    assert {p.name for p in files_of(files(path))} == {"net.onnx", "net.onnx.data", "net_other.bin"}
    path.write_bytes(b"")
    assert len(files_of(files(path))) == 3


def test_other_models_are_one_file(tmp_path):
    path = HARMLESS["weights"](tmp_path)
    shutil.copy(path, tmp_path / "m.pt.data")
    assert files_of(files(path)) == [path]
    assert files_of(files(Path("nothing.onnx"))) == [Path("nothing.onnx")]
