"""The offline feature networks: small classifiers whose weights come with the package.

The recipes `caltech101-classifier` and `fashion-classifier` trained them. They are weaker than the networks that KID
and FID are usually computed on, and figures on their features mean nothing beside theirs; they need no download, and
ONNX Runtime alone.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from tintype.errors import UsageError
from tintype.image.color import to_grey
from tintype.image.resize import Kernel, resize

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_CALTECH101, _FASHION = "caltech101-classifier", "fashion-classifier"
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
        _, self._bands, *sides = self._session.get_inputs()[0].shape
        (self._size,) = {*sides}  # the network takes squares
        self.channels, self.classes = (int(output.shape[1]) for output in self._session.get_outputs())
        digest = hashlib.sha256(weights).hexdigest()
        self.protocol = f"{name} {digest[:8]}, {self._size} px {_KERNEL}"

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Features `n channels` of display pictures; see `describe`."""
        return self.describe(pictures)[0]

    def describe(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and logits of pictures; their shorter side is reduced, or enlarged, and the middle square is seen.

        Args:
            pictures: Display `n h w 1|3` in [0, 1], of any size.

        Returns:
            `n channels` and `n classes`, float64.

        Raises:
            UsageError: The pictures have another shape.
        """
        if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or 0 in pictures.shape[1:]:
            raise UsageError(f"features: got pictures of shape {pictures.shape}, needed n h w 3 or n h w 1")
        features, logits = np.empty((len(pictures), self.channels)), np.empty((len(pictures), self.classes))
        for start in range(0, len(pictures), _AT_ONCE):
            some = np.stack([self._square(picture) for picture in pictures[start : start + _AT_ONCE]])
            x = np.ascontiguousarray(self._looked_at(some.transpose(0, 3, 1, 2)) * 2 - 1)
            here = slice(start, start + _AT_ONCE)
            features[here], logits[here] = self._session.run(["features", "logits"], {"source": x})
        return features, logits

    def _looked_at(self, planes: np.ndarray) -> np.ndarray:
        """Display `n c h w` in as many channels as the network has."""
        if planes.shape[1] == self._bands:
            return planes
        return to_grey(planes, "rec601") if self._bands == 1 else np.repeat(planes, 3, axis=1)

    def _square(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        scale = self._size / min(height, width)
        small = resize(picture.astype(np.float32), round(height * scale), round(width * scale), _KERNEL)
        top, left = (small.shape[0] - self._size) // 2, (small.shape[1] - self._size) // 2
        return small[top : top + self._size, left : left + self._size].clip(0, 1)


def caltech101_weights() -> bytes:
    """The content of the shipped file, an ONNX graph."""
    return _weights(_CALTECH101)


@cache
def open_caltech101() -> ClassifierFeatures:
    """The network that comes with Tintype; opened once."""
    return _opened(_CALTECH101)


@cache
def open_fashion() -> ClassifierFeatures:
    """The one for Fashion-MNIST, of its ten classes in the order of their numbers; opened once."""
    return _opened(_FASHION)


def open_classifier(name: Literal["caltech101", "fashion"]) -> ClassifierFeatures:
    """One of the two by its name."""
    return open_fashion() if name == "fashion" else open_caltech101()


def _opened(name: str) -> ClassifierFeatures:
    return ClassifierFeatures(_weights(name), name)


def _weights(name: str) -> bytes:
    return (resources.files("tintype.metrics") / "weights" / f"{name}.onnx").read_bytes()


def _session(weights: bytes) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the same sums in the same order everywhere
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
