"""The offline feature network: a small classifier of Caltech-101 whose weights come with the package.

The recipe `caltech101-classifier` trained it. It is weaker than the networks that KID and FID are usually computed on,
and figures on its features mean nothing beside theirs; it needs no download, and ONNX Runtime alone.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, final

import numpy as np

from tintype.errors import UsageError
from tintype.image.resize import Kernel, resize

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_WEIGHTS = "caltech101-classifier.onnx"
_KERNEL: Kernel = "lanczos3"
_AT_ONCE = 64
"""Pictures that go through the network together, which bounds its memory."""


@final
class ClassifierFeatures:
    """Features of a classifier that was exported as ONNX, as a `FeatureNetwork`.

    Args:
        weights: The content of the file.
        name: What the protocol calls it.
    """

    def __init__(self, weights: bytes, name: str) -> None:
        self._session = _session(weights)
        (self._size,) = {*self._session.get_inputs()[0].shape[2:]}  # the network takes squares
        self.channels: int = self._session.get_outputs()[0].shape[1]
        digest = hashlib.sha256(weights).hexdigest()
        self.protocol = f"{name} {digest[:8]}, {self._size} px {_KERNEL}"

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features of display pictures; their shorter side is reduced, or enlarged, and the middle square is seen.

        Args:
            pictures: `n h w 3` in [0, 1], of any size.

        Returns:
            `n channels` float64.

        Raises:
            UsageError: The pictures have another shape.
        """
        if pictures.ndim != 4 or pictures.shape[3] != 3 or 0 in pictures.shape[1:]:
            raise UsageError(f"features: got pictures of shape {pictures.shape}, needed n h w 3")
        features = np.empty((len(pictures), self.channels))
        for start in range(0, len(pictures), _AT_ONCE):
            some = [self._square(picture) for picture in pictures[start : start + _AT_ONCE]]
            x = np.ascontiguousarray(np.stack(some).transpose(0, 3, 1, 2) * 2 - 1)
            features[start : start + _AT_ONCE] = self._session.run(["features"], {"source": x})[0]
        return features

    def _square(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        scale = self._size / min(height, width)
        small = resize(picture.astype(np.float32), round(height * scale), round(width * scale), _KERNEL)
        top, left = (small.shape[0] - self._size) // 2, (small.shape[1] - self._size) // 2
        return small[top : top + self._size, left : left + self._size].clip(0, 1)


def caltech101_weights() -> bytes:
    """The content of the shipped file, an ONNX graph."""
    return (resources.files("tintype.metrics") / "weights" / _WEIGHTS).read_bytes()


@cache
def open_caltech101() -> ClassifierFeatures:
    """The network that comes with Tintype; opened once."""
    return ClassifierFeatures(caltech101_weights(), _WEIGHTS.removesuffix(".onnx"))


def _session(weights: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the same sums in the same order everywhere
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
