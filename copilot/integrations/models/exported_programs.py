"""Load PyTorch exported programs (.pt2) without running anything that is hidden in them."""

from __future__ import annotations

from pathlib import Path

import torch

from copilot.integrations.models.program_archives import clean_copy


def load_exported_program(path: Path) -> torch.export.ExportedProgram:
    """The exported program in a .pt2 file.

    Raises
    ------
    InputError
        The file is no .pt2 archive of a known form, or holds something that could run code.
    """
    return torch.export.load(clean_copy(path))


def input_dtype(program: torch.export.ExportedProgram) -> str | None:
    """Type of the numbers of the program's only input, such as ``float32``; None if it has several."""
    names = program.graph_signature.user_inputs
    types = [node.meta["val"].dtype for node in program.graph.nodes if node.name in names and "val" in node.meta]
    return str(types[0]).removeprefix("torch.") if len(names) == len(types) == 1 else None


def input_shape(program: torch.export.ExportedProgram) -> list[int] | None:
    """Shape of the program's only input, -1 where it may vary; None if it has several."""
    names = program.graph_signature.user_inputs
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in names and "val" in node.meta]
    return [n if isinstance(n, int) else -1 for n in shapes[0]] if len(names) == len(shapes) == 1 else None
