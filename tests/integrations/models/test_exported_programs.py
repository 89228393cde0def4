"""Hostile .pt2 archives: each would run code in torch.export.load, none does here."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import pytest
import torch

from copilot.errors import InputError
from copilot.integrations.models.exported_programs import input_shape, load_exported_program


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)
        self.head = torch.nn.Linear(4, 5)
        self.shift = torch.tensor([1.0, 2.0])

    def forward(self, x):
        y = torch.nn.functional.adaptive_avg_pool2d(torch.relu(self.norm(self.conv(x))), 1)
        return self.head(y.reshape(x.shape[0], -1)) * torch.tensor(2.0) + self.shift.sum()


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def archive(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    free = {0: torch.export.Dim.AUTO, 2: torch.export.Dim.AUTO}
    torch.export.save(torch.export.export(net, (torch.randn(2, 3, 9, 9),), dynamic_shapes=[free]), path)
    return path


class Evil:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


def rewritten(archive, path, change, extra=()):
    """A copy of the archive with records changed by `change(name, content)`."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in extra:
            new.writestr(name, content)
    return path


def with_graph(archive, path, edit):
    def change(name, content):
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        edit(program)
        return json.dumps(program)

    return rewritten(archive, path, change)


def test_a_clean_program_gives_what_the_network_gives(net, archive):
    program = load_exported_program(archive)
    images = torch.randn(7, 3, 12, 9)
    assert input_shape(program) == [-1, 3, -1, 9]
    assert torch.allclose(program.module(check_guards=False)(images), net(images), atol=1e-6)


def test_pickled_sample_inputs_are_dropped_unread(net, archive, tmp_path):
    canary = tmp_path / "canary"
    buffer = io.BytesIO()
    torch.save(Evil(canary), buffer)
    hostile = rewritten(
        archive, tmp_path / "x.pt2", lambda name, content: buffer.getvalue() if "sample_inputs" in name else content
    )
    load_exported_program(hostile)
    assert not canary.exists()
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False).close()  # the bait is alive
    assert canary.exists()


def test_guards_and_traces_are_dropped(archive, tmp_path):
    def edit(program):
        program["guards_code"] = [f"open({str(tmp_path / 'canary')!r}, 'w')"]
        program["graph_module"]["graph"]["nodes"][0]["metadata"] = {"nn_module_stack": "L__self__,,os.system"}

    program = load_exported_program(with_graph(archive, tmp_path / "x.pt2", edit))
    program.module(check_guards=False)(torch.randn(2, 3, 9, 9))
    assert program._guards_code == []
    assert not (tmp_path / "canary").exists()


def first_size(program):
    sizes = program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"]
    return next(size["as_expr"] for size in sizes if "as_expr" in size)


HOSTILE = {
    "operator": lambda p: p["graph_module"]["graph"]["nodes"][0].update(target="torch.os.system"),
    "operator in Python": lambda p: p["graph_module"]["graph"]["nodes"][0].update(target="_operator.call"),
    "operator that reads files": lambda p: p["graph_module"]["graph"]["nodes"][0].update(
        target="torch.ops.aten.from_file.default"
    ),
    "size expression": lambda p: first_size(p).update(expr_str="__import__('os').system('touch canary')"),
    "size expression in a function": lambda p: first_size(p).update(expr_str="Integer(open('canary', 'w'))"),
    "size expression in a name": lambda p: first_size(p).update(expr_str="Symbol('s0').__class__"),
    "name in generated code": lambda p: p["graph_module"]["graph"]["inputs"][0]["as_tensor"].update(
        name="x): import os #"
    ),
    "tree that imports a module": lambda p: p["graph_module"]["module_call_graph"][0]["signature"].update(
        in_spec=json.dumps([1, {"type": "collections.defaultdict", "context": "{}", "children_spec": []}])
    ),
    "tree with an enum": lambda p: p["graph_module"]["module_call_graph"][0]["signature"].update(
        in_spec=json.dumps(
            [1, {"type": "builtins.dict", "context": json.dumps([{"__enum__": True}]), "children_spec": []}]
        )
    ),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE)
def test_a_graph_that_could_run_code_is_refused(archive, tmp_path, edit):
    with pytest.raises(InputError, match="could run code") as caught:
        load_exported_program(with_graph(archive, tmp_path / "x.pt2", edit))
    assert "models.allow_pickle" in caught.value.hint


def test_pickled_tensors_are_refused(archive, tmp_path):
    def change(name, content):
        if name.endswith("weights/model_weights_config.json"):
            config = json.loads(content)
            next(iter(config["config"].values()))["use_pickle"] = True
            return json.dumps(config)
        return pickle.dumps(Evil(tmp_path / "canary")) if name.endswith("weight_0") else content

    with pytest.raises(InputError, match="tensors are pickled"):
        load_exported_program(rewritten(archive, tmp_path / "x.pt2", change))
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["net/data/aotinductor/model/a.so", "net/data/constants/opaque_obj_0", "version"])
def test_records_of_other_kinds_are_refused(archive, tmp_path, name):
    with pytest.raises(InputError, match="could run code"):
        load_exported_program(rewritten(archive, tmp_path / "x.pt2", lambda _, content: content, [(name, b"x")]))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x80\x02}q\x00."])
def test_other_files_are_one_line(tmp_path, content):
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.pt2 is not a whole \.pt2 archive"):
        load_exported_program(path)
