"""DINOv2 (Oquab et al. 2023), ViT-B/14 by transformers, for the Frechet distance that Stein et al. (2023) advise."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
import torch

from tintype.errors import InputError, MissingExtraError
from tintype.metrics.fetch import CACHE_VARIABLE, cache_folder
from tintype.metrics.tensors import batches

if TYPE_CHECKING:
    from transformers import Dinov2Model

SIDE = 224
REPOSITORY = "facebook/dinov2-base"
REVISION = "f9e44c814b77203eaa57a6bdbbd535f21ede1415"
FILES = ("config.json", "model.safetensors")

_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


@final
class Dinov2Features:
    """The class token after the last layer norm; a `FeatureNetwork`."""

    def __init__(self, model: Dinov2Model, name: str, digest: str) -> None:
        self._model = model.eval()
        self.protocol = f"{name} {digest[:8]}, {SIDE} px bicubic antialiased"
        self.channels = int(model.config.hidden_size)

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features `n k` (float64) of pictures `n h w 3` in [0, 1]."""
        mean, deviation = (torch.tensor(values)[:, None, None] for values in (_MEAN, _DEVIATION))
        with torch.no_grad():
            found = [
                self._model(pixel_values=(batch - mean) / deviation).last_hidden_state[:, 0].double().numpy()
                for batch in batches("dinov2", pictures, SIDE)
            ]
        return np.concatenate(found) if found else np.zeros((0, self.channels))


def open_dinov2() -> Dinov2Features:
    """The network with the published weights: from the cache folder's `dinov2-base`, or else from the model hub.

    Raises:
        InputError: They are neither there nor to be had, or are damaged.
        MissingExtraError: transformers is not installed.
    """
    try:
        from transformers import Dinov2Model
    except ModuleNotFoundError as error:
        raise MissingExtraError("dinov2: needs transformers: pip install 'tintype[train,features]'") from error
    weights = _weights()
    try:
        model = Dinov2Model.from_pretrained(weights.parent, local_files_only=True, use_safetensors=True)
    except Exception as error:  # what transformers raises for a damaged file shares no base but Exception
        raise InputError(f"{weights.parent}: holds no usable {REPOSITORY}; delete it and fetch it again") from error
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Dinov2Features(model, "dinov2-base", digest)


def _weights() -> Path:
    folder = cache_folder() / "dinov2-base"
    if all((folder / name).is_file() for name in FILES):
        return folder / FILES[-1]
    from huggingface_hub import hf_hub_download

    try:
        return [Path(hf_hub_download(REPOSITORY, name, revision=REVISION)) for name in FILES][-1]
    except Exception as error:  # no network, no such file, no room: the hub has a class for each and no base for them
        raise InputError(
            f"dinov2: {REPOSITORY} cannot be fetched, check that you are online; or put its {' and '.join(FILES)} into "
            f"{folder} by hand ({CACHE_VARIABLE} names another cache)"
        ) from error
