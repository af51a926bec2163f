"""What the feature networks on torch share: weights from files, and pictures as batches of tensors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tintype.errors import InputError, UsageError

_BATCH = 16


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a file of torch, read without running anything that it says.

    Raises:
        InputError: It is damaged or holds something else.
    """
    try:
        with warnings.catch_warnings():  # about the age of the format
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for a damaged file shares no base but Exception
        raise InputError(f"{path}: is damaged or holds more than weights; delete it and fetch it again") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path}: holds no state dict of tensors; delete it and fetch it again")
    return dict(content)


def load_state(name: str, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put weights into a module and make it ready for use; entries that the module has no place for are passed over.

    Raises:
        InputError: A tensor of the module is missing or has another shape.
    """
    wanted = module.state_dict()
    for key, tensor in wanted.items():
        if key.endswith("num_batches_tracked"):  # counts training steps; old files have none
            continue
        if key not in state:
            raise InputError(
                f"{name}: {key} is missing, so this is another network's file; delete it and fetch it again"
            )
        if state[key].shape != tensor.shape:
            shapes = f"{tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
            raise InputError(f"{name}: {key} has shape {shapes}, so this is another network's file; fetch it again")
    module.load_state_dict({key: state.get(key, tensor) for key, tensor in wanted.items()})
    module.eval().requires_grad_(False)


def batches(name: str, pictures: np.ndarray, side: int | None = None) -> Iterator[Tensor]:
    """Pictures `n h w 3` in [0, 1] as float32 batches `b 3 h w`, `side` x `side` pixels where it is given.

    They are resized as floats with an antialiasing bicubic filter (a = -0.5, as Pillow has it) and not rounded, so
    values may overshoot a little; Parmar, Zhang & Zhu (2022) show how much less careful resizing moves FID.

    Raises:
        UsageError: Something else than pictures was given.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 4 or pictures.shape[-1] != 3:
        raise UsageError(f"{name}: pictures of shape {pictures.shape}, `n h w 3` is needed")
    for start in range(0, len(pictures), _BATCH):
        batch = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _BATCH], dtype=np.float32))
        batch = batch.permute(0, 3, 1, 2).contiguous()
        if side is not None and batch.shape[2:] != (side, side):
            batch = nn.functional.interpolate(batch, (side, side), mode="bicubic", antialias=True, align_corners=False)
        yield batch
