"""The archives of PyTorch exported programs (.pt2), without what could run code. PyTorch itself is not imported.

``torch.export.load`` unpickles sample inputs and some tensors, evaluates size expressions and guards as Python,
resolves operator names to any attribute of ``torch`` and writes names into generated code. So the archive is copied
first: only known records are kept, tensors must be raw bytes, and every text in the graph must be of a harmless form.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

from copilot.errors import InputError
from copilot.integrations.models.archives import BROKEN, rewritten, within_limits
from copilot.utils.validators import clean_text

_KEPT = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|\.data/version|\.data/serialization_id"
    r"|data/(weights|constants)/((weight|tensor)_\d+|model_(weights|constants)_config\.json)"
    r"|models/model\.json|data/sample_inputs/model\.pt)"
)
_WORD = re.compile(r"[\w.+\-]{0,300}")
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|quantized_decomposed|torchvision)\.(?!(from_file|save|load)\b)\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
    r"|torch\.(sym_[a-z]+|_sym_sqrt)|math\.(trunc|ceil|floor)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|pos|lt|le|eq|ne|ge|gt|and_|or_|not_)"
)
_FUNCTIONS = re.compile(
    r"Symbol|Integer|Float|Rational|Add|Mul|Pow|Mod|Max|Min|Abs|And|Or|Not|Equality|Unequality|(Strict)?(Less|Greater)Than"
    r"|FloorDiv|CeilDiv|PythonMod|CleanDiv|IntTrueDiv|FloatTrueDiv|PowByNatural|FloatPow|ToFloat|TruncToFloat"
    r"|(Floor|Ceil|Round|Trunc)ToInt"
)
_EXPRESSION = (ast.Expression, ast.Call, ast.Name, ast.Constant, ast.UnaryOp, ast.BinOp, ast.keyword, ast.Load)
_SIGNS = (ast.operator, ast.unaryop)
_TREES = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"})


def clean_copy(path: Path) -> io.BytesIO:
    """A copy of a .pt2 archive in memory that holds nothing which could run code.

    Raises
    ------
    InputError
        The file is no .pt2 archive of a known form, or holds something that could run code.
    """

    def clean(name: str, content: bytes) -> bytes:
        _check_name(path, name)
        return _clean(path, name, content)

    return rewritten(path, ".pt2 archive", clean)


def could_run_code(path: Path) -> bool:
    """True where `clean_copy` would refuse what is in an archive; no tensor is read, so that it costs little."""
    try:
        with zipfile.ZipFile(path) as archive:
            for record in within_limits(path, archive):
                _check_name(path, record.filename)
                if record.filename.endswith(".json"):
                    _clean(path, record.filename, archive.read(record))
    except InputError:
        return True
    except (*BROKEN, OSError, RecursionError):  # damaged: nothing can be loaded from it
        return False
    return False


def _check_name(path: Path, name: str) -> None:
    if not _KEPT.fullmatch(name):
        raise _refused(path, f"it holds {clean_text(name, 80)}")


def _clean(path: Path, name: str, content: bytes) -> bytes:
    if name.endswith("sample_inputs/model.pt"):
        return b""  # a pickle that only tells what the model was traced with
    if name.endswith("_config.json"):
        if any(entry["use_pickle"] is not False for entry in json.loads(content)["config"].values()):
            raise _refused(path, "some of its tensors are pickled")
        return content
    if name.endswith("models/model.json"):
        program = _stripped(json.loads(content))
        _check(path, program)
        return json.dumps(program).encode()
    return content


def _stripped(value: Any) -> Any:
    """The graph without what is not needed to run it: stack traces and guards, which are Python source."""
    if isinstance(value, dict):
        empty = {"metadata": {}, "guards_code": []}
        return {key: empty[key] if key in empty else _stripped(item) for key, item in value.items()}
    return [_stripped(item) for item in value] if isinstance(value, list) else value


def _check(path: Path, value: Any, key: str = "") -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _check(path, name)
            _check(path, item, name)
    elif isinstance(value, list):
        for item in value:
            _check(path, item, key)
    elif isinstance(value, str) and not _harmless(key, value):
        raise _refused(path, f"its graph holds {clean_text(value, 60)!r}")


def _harmless(key: str, text: str) -> bool:
    if key in ("as_string", "as_strings"):
        return True
    if key in ("target", "as_operator"):
        return bool(_OPERATOR.fullmatch(text))
    if key == "expr_str":
        return _is_arithmetic(text)
    if key in ("in_spec", "out_spec"):
        return all(_is_plain_tree(tree) for tree in json.loads(text) if isinstance(tree, dict))
    return bool(_WORD.fullmatch(text))


def _is_arithmetic(text: str) -> bool:
    """True for ``Add(Symbol('s53', integer=True), Integer(-2))`` and the like."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError:
        return False
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return all(
        isinstance(node, _EXPRESSION + _SIGNS)
        and not (isinstance(node, ast.Call) and not isinstance(node.func, ast.Name))
        and not (isinstance(node, ast.Name) and not _known_name(node.id, id(node) in called))
        and not (isinstance(node, ast.Constant) and isinstance(node.value, str) and not node.value.isidentifier())
        for node in nodes
    )


def _known_name(name: str, called: bool) -> bool:
    return bool(_FUNCTIONS.fullmatch(name) if called else re.fullmatch(r"[suzf]+\d+", name))


def _is_plain_tree(tree: dict[str, Any]) -> bool:
    context = json.loads(tree["context"] or "null")
    words = context if isinstance(context, list) else [context]
    return (
        tree["type"] in _TREES
        and all(word is None or isinstance(word, str) for word in words)
        and all(map(_is_plain_tree, tree["children_spec"]))
    )


def _refused(path: Path, why: str) -> InputError:
    return InputError(
        f"{path.name} is not loaded, because it could run code: {why}.",
        "Log the model again with mlflow.pytorch.log_model(..., serialization_format='pt2'), "
        "or set models.allow_pickle to true for models that you trust.",
    )
