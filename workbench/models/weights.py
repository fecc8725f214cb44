"""Keep networks, and training that is under way, in safetensors files.

A safetensors file holds arrays and a few strings and can run no code when it is
opened. A training checkpoint is such a file too: the weights, the state of
Adam, and counters as JSON, all replaced together or not at all, so that a
killed process finds the last whole one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from workbench.errors import StoreError
from workbench.files import replace_file

__all__ = ["fingerprint", "load_checkpoint", "load_weights", "save_checkpoint", "save_weights"]

State = Mapping[str, torch.Tensor]


def save_weights(
    network: nn.Module | State, path: Path, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write the weights of a network, whole or not at all.

    Parameters
    ----------
    network : Module or state dict
        Whose weights are kept.
    path : Path
        The file, by custom ``*.safetensors``.
    metadata : mapping, optional
        Anything JSON can hold; `load_weights` returns it.

    Raises
    ------
    StoreError
        If the file cannot be written; an older one is still there.
    """
    state = network.state_dict() if isinstance(network, nn.Module) else network
    _write(state, path, metadata or {})


def load_weights(network: nn.Module, path: Path) -> dict[str, Any]:
    """Read weights into a network of the same shape; return the metadata kept with them.

    Raises
    ------
    StoreError
        If the file is damaged or holds the weights of another network.
    """
    tensors, metadata = _read(path)
    _into(network, tensors, path)
    return metadata


def save_checkpoint(
    path: Path,
    key: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    counters: Mapping[str, Any],
) -> None:
    """Write all that training needs to go on as if it had never stopped.

    Parameters
    ----------
    path : Path
        The file that is made or replaced.
    key : str
        Names the training: everything that decides its result.
    network, optimizer : Module, Optimizer
        Their states are kept.
    counters : mapping
        Steps done, losses and the like; anything JSON can hold.

    Raises
    ------
    StoreError
        If the file cannot be written; an older one is still there.
    """
    tensors = {f"network/{name}": value for name, value in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer/{index}/{name}"] = torch.as_tensor(value)
    _write(tensors, path, {"key": key, "counters": dict(counters)})


def load_checkpoint(
    path: Path | None, key: str, network: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, Any] | None:
    """Read a checkpoint into a network and its optimizer.

    Returns
    -------
    dict or None
        The counters; None, with nothing changed, where there is no file, it is damaged, or it
        belongs to another training. Starting anew then gives the same result, only later.
    """
    if path is None or not path.exists():
        return None
    try:
        tensors, metadata = _read(path)
    except StoreError:
        return None
    if metadata.get("key") != key:
        return None
    kept = {k.removeprefix("network/"): v for k, v in tensors.items() if k.startswith("network/")}
    _into(network, kept, path)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, index, field = name.split("/")
            parameter = parameters[int(index)]
            if value.shape == parameter.shape:  # in the weight's memory format, as Adam made it
                value = torch.empty_like(parameter, requires_grad=False).copy_(value)
            state.setdefault(int(index), {})[field] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return dict(metadata["counters"])


def fingerprint(network: nn.Module) -> str:
    """Name the weights of a network by their content, in sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _write(tensors: State, path: Path, metadata: Mapping[str, Any]) -> None:
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    content = save(plain, {"json": json.dumps(dict(metadata))})
    # Written by Python and not by safetensors, so that a full disk is an OSError.
    replace_file(path, lambda temporary: temporary.write_bytes(content))


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("json", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise StoreError(
            f"{path} cannot be read as network weights ({error}). Delete the file and run the "
            f"step again; it will be made anew."
        ) from error


def _into(network: nn.Module, tensors: State, path: Path) -> None:
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise StoreError(
            f"{path} holds the weights of another network than {type(network).__name__} as it is "
            f"configured now. Choose the settings it was trained with, or delete the file."
        ) from error
