"""The forms a model may have: each is loaded without running what is in it, and gives what the bare network gives."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import zipfile

import numpy as np
import psutil
import pytest
import torch
import torchvision

from copilot.errors import ConfigError, InputError
from copilot.integrations.models import loader, torchscript
from copilot.integrations.models.loader import load_model
from copilot.integrations.models.spec import ModelFiles
from copilot.integrations.models.weights import build

onnx = pytest.importorskip("onnx", reason="ONNX models are made with onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX models are run with onnxruntime")

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def scaled(images):
    return torch.from_numpy(images).float().permute(0, 3, 1, 2) / 255


def softmax(net, images):
    with torch.no_grad():
        return torch.softmax(net(scaled(images)).double(), dim=1).numpy()


def onnx_file(path, *, shape=("n", 3, 8, 8), kind=onnx.TensorProto.FLOAT, nodes=None, location=None, domain=""):
    """Weights times the mean colour of the image: (n, 3) -> (n, 4)."""
    weights = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32) * 5
    tensor = onnx.numpy_helper.from_array(weights, "w")
    if location:
        onnx.external_data_helper.set_external_data(tensor, location=location)
        tensor.ClearField("raw_data")
    make = onnx.helper.make_node
    nodes = nodes or [
        make("GlobalAveragePool", ["x"], ["pooled"], domain=domain),
        make("Flatten", ["pooled"], ["flat"]),
        make("MatMul", ["flat", "w"], ["y"]),
    ]
    inputs = [onnx.helper.make_tensor_value_info("x", kind, shape)]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs, [tensor])
    opsets = [onnx.helper.make_opsetid("", 17), *([onnx.helper.make_opsetid(domain, 1)] if domain else [])]
    model = onnx.helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return weights


def of_onnx(weights, images):
    scores = torch.from_numpy((images / 255).mean(axis=(1, 2)) @ weights.astype(np.float64))
    return torch.softmax(scores, dim=1).numpy()


def test_onnx_gives_what_the_arithmetic_gives(tmp_path):
    weights = onnx_file(tmp_path / "net.onnx")
    model = load_model(tmp_path / "net.onnx")
    assert np.allclose(model.predict(IMAGES), of_onnx(weights, IMAGES), atol=1e-5)
    assert (model.spec.size, model.spec.channels) == ((8, 8), 3)
    assert model.module is None
    assert model.attribute is None


def test_a_folder_of_mlflows_onnx_flavour(tmp_path):
    weights = onnx_file(tmp_path / "model.onnx")
    (tmp_path / "MLmodel").write_text("flavors:\n  onnx: {data: model.onnx}\n  python_function: {env: x}\n")
    assert np.allclose(load_model(tmp_path).predict(IMAGES), of_onnx(weights, IMAGES), atol=1e-5)


def test_an_onnx_model_for_exactly_two_images_is_asked_in_twos(tmp_path):
    weights = onnx_file(tmp_path / "net.onnx", shape=(2, 3, 8, 8))
    model = load_model(tmp_path / "net.onnx")
    assert model.spec.batch == 2
    assert np.allclose(model.predict(IMAGES), of_onnx(weights, IMAGES), atol=1e-5)
    with pytest.raises(
        InputError, match="takes images of 8 x 8 pixels and 3 channels, but images of 8 x 8 pixels and 1"
    ):
        model.predict(IMAGES[..., :1])


def test_weights_beside_an_onnx_model_stay_in_its_folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    weights = onnx_file(folder / "net.onnx", location="w.bin")
    (folder / "w.bin").write_bytes(weights.tobytes())
    assert np.allclose(load_model(folder / "net.onnx").predict(IMAGES), of_onnx(weights, IMAGES), atol=1e-5)
    (tmp_path / "secret").write_bytes(weights.tobytes())
    (folder / "link").symlink_to(tmp_path / "secret")
    for location in ("../secret", str(tmp_path / "secret"), "link"):
        onnx_file(folder / "net.onnx", location=location)
        with pytest.raises(InputError, match="outside its own folder"):
            load_model(folder / "net.onnx")
    onnx_file(folder / "net.onnx", location="gone.bin")
    with pytest.raises(InputError, match="missing"):
        load_model(folder / "net.onnx")


def test_onnx_models_that_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    onnx_file(path, domain="evil")
    with pytest.raises(InputError, match="evil::GlobalAveragePool"):
        load_model(path)
    onnx_file(path, kind=onnx.TensorProto.INT64)
    with pytest.raises(InputError, match=r"INVALID_GRAPH|int64"):
        load_model(path)
    path.write_bytes(b"\x08\x01 no model")
    with pytest.raises(InputError, match="not an ONNX model"):
        load_model(path)


def with_branches(path, *, domain="", location=None):
    """An If whose branches give a constant, one of them by an operator of `domain`, or from a file."""
    make, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    tensor = onnx.numpy_helper.from_array(np.ones((2, 4), np.float32), "c")
    if location:
        onnx.external_data_helper.set_external_data(tensor, location=location)
        tensor.ClearField("raw_data")
    out = [info("b", onnx.TensorProto.FLOAT, None)]
    inner = [make("Constant", [], ["k"], value=tensor), make("Relu", ["k"], ["b"], domain=domain)]
    branches = {
        f"{name}_branch": onnx.helper.make_graph([make("Constant", [], ["k"], value=tensor), *nodes], name, [], out)
        for name, nodes in (("then", inner[1:]), ("else", [make("Identity", ["k"], ["b"])]))
    }
    nodes = [
        make("ReduceMax", ["x"], ["top"], keepdims=0),
        make("Cast", ["top"], ["yes"], to=onnx.TensorProto.BOOL),
        make("If", ["yes"], ["y"], **branches),
    ]
    onnx_file(path, nodes=nodes, domain=domain)


def test_the_bodies_of_an_onnx_model_are_looked_at_too(tmp_path):
    path = tmp_path / "net.onnx"
    with_branches(path)
    assert load_model(path).predict(IMAGES[:2]).shape == (2, 4)
    with_branches(path, domain="evil")
    with pytest.raises(InputError, match="evil::Relu"):
        load_model(path)
    with_branches(path, location="../secret")
    with pytest.raises(InputError, match="outside its own folder"):
        load_model(path)


def test_onnx_runtime_gets_the_threads_of_torch_and_tells_its_device(tmp_path, monkeypatch):
    onnx_file(tmp_path / "net.onnx")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(loader, "_device", lambda wanted: "cuda")  # a GPU that this ONNX Runtime cannot use
    gc.collect()  # threads of sessions that nobody holds
    before = psutil.Process().num_threads()
    model = load_model(tmp_path / "net.onnx", device="cuda")
    with_gpu = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert model.device == ("cuda" if with_gpu and torch.cuda.is_available() else "cpu")
    assert model.predict(IMAGES).shape == (5, 4)
    assert psutil.Process().num_threads() == before  # one thread is the caller's own
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    kept = load_model(tmp_path / "net.onnx")
    assert psutil.Process().num_threads() == before + 2
    assert kept.device in ("cpu", "cuda")


def test_onnx_runtime_reports_nothing_and_leaves_no_number_of_the_machine(tmp_path):
    onnx_file(tmp_path / "net.onnx")
    code = (
        f"from copilot.integrations.models.loader import load_model; print(load_model({str(tmp_path / 'net.onnx')!r}))"
    )
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home = tmp_path / "home"
    home.mkdir()
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert "LoadedModel" in told.stdout
    assert not [path for path in home.rglob("*") if "onnxruntime" in path.name.lower()]


class Relu(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


HOSTILE = {
    "writes a file": '_0 = torch.save(x, "CANARY")\n    return x',
    "maps a file": 'return torch.from_file("CANARY", True, 4)',
    "sets its storage": "return torch.set_(x, x)",
    "writes a file by an escaped name": 'return getattr(torch, "\\x73ave")(x, "CANARY")',
    "writes a file by a name in two parts": 'return getattr(torch, "sa" "ve")(x, "CANARY")',
    "runs when it is loaded": "return x\n  def __setstate__(self, s: Tensor) -> None:\n    return None",
}


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "relu.pt"
    torch.jit.script(Relu()).save(str(path))
    return path


def with_code(script, path, code):
    with zipfile.ZipFile(script) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            assert not name.endswith(".py") or b"return torch.relu(x)" in content
            new.writestr(name, content.replace(b"return torch.relu(x)", code.encode()))
    return path


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_torchscript_that_does_more_than_compute_is_refused(script, tmp_path, code):
    canary = tmp_path / "canary"
    hostile = with_code(script, tmp_path / "net.pt", code.replace("CANARY", str(canary)))
    with pytest.raises(InputError, match="could do more than compute"):
        load_model(hostile)
    assert not canary.exists()


def test_the_bait_is_alive(script, tmp_path):
    """PyTorch itself would let it write."""
    canary = tmp_path / "canary"
    code = HOSTILE["writes a file"].replace("CANARY", str(canary))
    torch.jit.load(with_code(script, tmp_path / "net.pt", code))(torch.ones(2))
    assert canary.exists()


def test_operators_are_looked_at_besides_the_words_of_the_code(script, tmp_path, monkeypatch):
    monkeypatch.setattr(torchscript, "_FORBIDDEN", set())
    canary = tmp_path / "canary"
    for name in ("writes a file", "maps a file", "writes a file by an escaped name", "sets its storage"):
        with pytest.raises(InputError, match=r"it calls 'aten::(save|from_file|set_)'|cannot be loaded"):
            load_model(with_code(script, tmp_path / "net.pt", HOSTILE[name].replace("CANARY", str(canary))))
    assert not canary.exists()


def test_archives_that_unpack_to_far_more_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net/constants.pkl", b"")
        file.writestr("net/code/x.py", b"")
        file.writestr("net/data/0", bytes(30_000_000))
    with pytest.raises(InputError, match="unpacks to far more"):
        load_model(tmp_path / "net.pt")


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=4)
    net.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return net.eval()


@pytest.mark.parametrize("form", ["bare", "checkpoint", "safetensors"])
def test_bare_weights_go_into_the_network_that_is_named(tmp_path, resnet, form):
    images = IMAGES[..., :1].repeat(4, axis=1).repeat(4, axis=2)
    path = tmp_path / "weights.pth"
    if form == "bare":
        torch.save(resnet.state_dict(), path)
    elif form == "checkpoint":
        held = {f"module._orig_mod.{name}": value for name, value in resnet.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": held, "optimizer": {"lr": 0.1}}, path)
    else:
        safetensors = pytest.importorskip("safetensors.torch", reason="safetensors files are read with safetensors")
        path = tmp_path / "weights.safetensors"
        safetensors.save_file(resnet.state_dict(), path)
    model = load_model(ModelFiles(uri="x", path=str(path), params={"arch": "ResNet-18"}))
    assert np.allclose(model.predict(images), softmax(resnet, images), atol=1e-5)


def test_weights_of_another_network_name_the_first_difference(resnet):
    with pytest.raises(InputError, match=r"not those of resnet34: layer1\.2\.conv1\.weight is missing"):
        build("resnet34", resnet.state_dict())
    with pytest.raises(InputError, match="no network called 'resnet19'"):
        build("resnet19", {})


def test_preprocessing_of_the_settings_comes_first(tmp_path):
    weights = onnx_file(tmp_path / "net.onnx")
    said = {"range": "-1..1", "class_names": ["a", "b", "c", "d"], "output": "logits"}
    model = load_model(tmp_path / "net.onnx", preprocessing=said)
    scores = torch.from_numpy((IMAGES / 127.5 - 1).mean(axis=(1, 2)) @ weights.astype(np.float64))
    assert np.allclose(model.predict(IMAGES), torch.softmax(scores, dim=1).numpy(), atol=1e-5)
    assert model.spec.class_names == ("a", "b", "c", "d")
    with pytest.raises(ConfigError, match="no key 'image_sise'") as caught:
        load_model(tmp_path / "net.onnx", preprocessing={"image_sise": 3})
    assert "Did you mean image_size?" in caught.value.hint
    with pytest.raises(ConfigError, match="range cannot be read"):
        load_model(tmp_path / "net.onnx", preprocessing={"range": "wide"})
    few = load_model(tmp_path / "net.onnx", preprocessing={"class_names": ["a", "b"]})
    with pytest.raises(InputError, match=r"\(5, 4\), but \(5, 2\) was expected"):
        few.predict(IMAGES)
    make = onnx.helper.make_node
    nodes = [make("Cast", ["x"], ["f"], to=1), make("ReduceMean", ["f"], ["m"], axes=[2, 3], keepdims=0)]
    nodes += [make("MatMul", ["m", "w"], ["y"])]
    onnx_file(tmp_path / "bytes.onnx", kind=onnx.TensorProto.UINT8, nodes=nodes)
    assert load_model(tmp_path / "bytes.onnx").predict(IMAGES).shape == (5, 4)
    with pytest.raises(InputError, match="bytes from 0 to 255"):
        load_model(tmp_path / "bytes.onnx", preprocessing={"range": "0..1"})
