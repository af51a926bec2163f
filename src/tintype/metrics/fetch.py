"""Published weights of feature networks: fetched once, checked, kept in a cache folder. None of them is shipped.

Where there is no network, the error names the file, where it is published and where to put it; a file that was put
there by hand is checked in the same way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tintype.errors import InputError, OutputError

_TIMEOUT_S = 60

CACHE_VARIABLE = "TINTYPE_CACHE"
"""Environment variable that names another cache folder."""


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """A file of weights: its name in the cache, where it is published, what it must be, and under which terms."""

    name: str
    url: str
    sha256: str
    terms: str


INCEPTION = PublishedWeights(
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "Apache-2.0 (TensorFlow, converted by pytorch-fid); trained on ImageNet",
)
ALEXNET = PublishedWeights(
    "alexnet-owt-7be5be79.pth",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "BSD-3-Clause (torchvision); trained on ImageNet",
)
VGG16 = PublishedWeights(
    "vgg16-397923af.pth",
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "BSD-3-Clause (torchvision); trained on ImageNet",
)
LPIPS_ALEX = PublishedWeights(
    "lpips-v0.1-alex.pth",
    "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "BSD-2-Clause (Zhang et al.)",
)
LPIPS_VGG = PublishedWeights(
    "lpips-v0.1-vgg.pth",
    "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "BSD-2-Clause (Zhang et al.)",
)


def cache_folder() -> Path:
    """Where weights are kept: what `TINTYPE_CACHE` names, or else the cache folder of the user."""
    import pooch

    return Path(os.environ.get(CACHE_VARIABLE) or pooch.os_cache("tintype"))


def fetch_weights(weights: PublishedWeights) -> Path:
    """The file, downloaded unless it lies in the cache with the published hash.

    Raises:
        InputError: It cannot be downloaded, or what came is something else.
        OutputError: The cache cannot be written.
    """
    import pooch
    import requests
    import urllib3

    pooch.get_logger().setLevel("WARNING")
    folder = cache_folder()
    path = folder / weights.name
    try:
        if path.is_file():
            if pooch.file_hash(str(path)) == weights.sha256:
                return path
            raise InputError(f"{path}: {_not_published(weights)}; delete it, {_by_hand(weights, path)}")
        pooch.retrieve(
            weights.url,
            f"sha256:{weights.sha256}",
            fname=weights.name,
            path=folder,
            downloader=pooch.HTTPDownloader(chunk_size=1 << 16, timeout=_TIMEOUT_S),
        )
    except requests.HTTPError as error:
        code = "an error"
        if error.response is not None:
            code = str(error.response.status_code)
            error.response.close()  # pooch leaves it open
        raise InputError(f"{weights.url}: the server answers {code}; {_by_hand(weights, path)}") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = "cannot be downloaded, check that you are online"
        raise InputError(f"{weights.url}: {reason}; {_by_hand(weights, path)}") from error
    except ValueError as error:
        raise InputError(f"{weights.url}: {_not_published(weights)}; {_by_hand(weights, path)}") from error
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be kept there ({error.strerror or error}); set {CACHE_VARIABLE} to a folder that can be "
            "written"
        ) from error
    return path


def _not_published(weights: PublishedWeights) -> str:
    return f"is not the published file, whose sha256 begins with {weights.sha256[:8]}"


def _by_hand(weights: PublishedWeights, path: Path) -> str:
    return f"or get {weights.name} from {weights.url} by hand and put it at {path}"
