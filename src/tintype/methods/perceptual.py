"""Perceptual content loss: how far two pictures lie apart in the features of a network that tells pictures apart.

After Johnson, Alahi & Fei-Fei (2016) and Ledig et al. (2017). The network is frozen, and no part of the method: it is
neither trained, nor counted, nor stored in checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import final

import torch
from torch import Tensor, nn

from tintype.errors import UsageError
from tintype.metrics.classifier import caltech101_weights
from tintype.metrics.lpips import vgg_layers
from tintype.metrics.tensors import load_state, read_state
from tintype.networks import Classifier
from tintype.recipe.methods import CALTECH101

_TINY = 1e-6
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_VGG16, _VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)


@final
class Perceptual:
    """The distance of batches `n 3 h w` in [-1, 1]: 0 for equal ones, about 1 for unrelated ones.

    Args:
        stages: Parts of the network, of which each sees what the one before it made; the features after each count.
        mean: What is subtracted from pictures first, by channel.
        deviation: What they are then divided by.
    """

    def __init__(self, stages: Sequence[nn.Module], mean: Sequence[float], deviation: Sequence[float]) -> None:
        self._stages = nn.ModuleList(stages).eval().requires_grad_(False)
        self._mean, self._deviation = torch.tensor(mean)[:, None, None], torch.tensor(deviation)[:, None, None]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Mean over the stages of the squared difference of features over the mean square of those of the target."""
        self._stages.to(output.device)
        with torch.no_grad():
            wanted = list(self._features(target))
        terms = [
            (made - true).square().mean() / (true.square().mean() + _TINY)
            for made, true in zip(self._features(output), wanted, strict=True)
        ]
        return torch.stack(terms).mean()

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        x = (x - self._mean.to(x)) / self._deviation.to(x)
        for stage in self._stages:
            x = stage(x)
            yield x


def open_perceptual(name: str) -> Perceptual:
    """The loss by the features of a network.

    Args:
        name: `caltech101`, or a file of torch with the state dict of VGG16 or VGG19.

    Raises:
        UsageError: There is no such file.
        InputError: It is damaged or holds another network.
    """
    if name == CALTECH101:
        return Perceptual(_caltech101_stages(), (0, 0, 0), (1, 1, 1))
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(
            f"method.perceptual={name}: there is no such file; give {CALTECH101} or the weights of VGG16 or VGG19"
        )
    state = {key.removeprefix("features."): value for key, value in read_state(path).items()}
    counts = _VGG19 if "34.weight" in state else _VGG16
    layers = vgg_layers(counts)
    load_state(str(path), layers, state)
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # what a stage hands out is looked at after the next one has run
    ends = [number for number, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)] + [len(layers)]
    stages = [layers[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]
    # model space is [-1, 1], and the network wants [0, 1] brought to the mean and deviation of ImageNet
    mean = [2 * value - 1 for value in _IMAGENET_MEAN]
    return Perceptual(stages, mean, [2 * value for value in _IMAGENET_DEVIATION])


def _caltech101_stages() -> list[nn.Module]:
    """The shipped classifier up to its third stage, whose batch norm lies in the weights of its convolutions."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(caltech101_weights()).graph
    arrays = {one.name.replace(".weight_bias", ".bias"): numpy_helper.to_array(one) for one in graph.initializer}
    network = Classifier(3, len(arrays["head.bias"]), norm="none")
    load_state(CALTECH101, network, {name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    for layer in network.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return [network.stem, *list(network.stages)[:3]]
