"""The public picture sets that `tintype data get` knows: where they lie, what is published of them, what trains.

Only a hash that somebody has published is written here, and None where there is none. Those of the CycleGAN archives
are the ones that TensorFlow Datasets checks them with.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tintype.errors import UsageError

_BERKELEY = "https://efrosgans.eecs.berkeley.edu"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # has no https; its hashes are published
_NOTES = "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix/blob/master/docs/datasets.md"
_IMAGENET = "https://www.image-net.org/download.php"

PAIRED = "hubble-pix2pix data.kind=side_by_side codec.source=rgb"
UNPAIRED = "faces-cartoons data.size=256 data.load_size=286 method.adversarial=lsgan"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a set.

    Attributes:
        url: Where it lies.
        known_hash: "md5:..." or "sha256:...", None if none is published.
    """

    url: str
    known_hash: str | None = None

    @property
    def name(self) -> str:
        """Last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class PublicSet:
    """A set that can be fetched.

    Attributes:
        name: What the user calls it.
        what: What is in it, for the list.
        megabytes: About how much there is to download.
        terms: Page that says what the pictures may be used for, or where they came from.
        files: Archives (.zip, .tar.gz), or files that are the set as they are.
        train: Recipe and changes that train on it, without the path; None: no built-in recipe does.
        pictures: Their number where the files are no pictures that could be counted.
        withheld: Why it is not fetched; None: it is.
    """

    name: str
    what: str
    megabytes: int
    terms: str
    files: tuple[RemoteFile, ...]
    train: str | None
    pictures: int | None = None
    withheld: str | None = None


def _paired(name: str, what: str, megabytes: int, terms: str, direction: str = "ab") -> PublicSet:
    train = PAIRED if direction == "ab" else f"{PAIRED} data.direction={direction}"
    return PublicSet(name, what, megabytes, terms, (RemoteFile(f"{_BERKELEY}/pix2pix/datasets/{name}.tar.gz"),), train)


def _unpaired(
    name: str, what: str, megabytes: int, terms: str, sha256: str | None, train: str | None = UNPAIRED
) -> PublicSet:
    url = f"{_BERKELEY}/cyclegan/datasets/{name.removesuffix('-unpaired')}.zip"
    return PublicSet(name, what, megabytes, terms, (RemoteFile(url, f"sha256:{sha256}" if sha256 else None),), train)


_FASHION_FILES = (
    RemoteFile(f"{_FASHION}/train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    RemoteFile(f"{_FASHION}/train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"),
    RemoteFile(f"{_FASHION}/t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"),
    RemoteFile(f"{_FASHION}/t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"),
)

_CITYSCAPES = "its licence does not let others hand it out; register at https://www.cityscapes-dataset.com"

PUBLIC_SETS: dict[str, PublicSet] = {
    public.name: public
    for public in (
        PublicSet(
            "fashion-mnist",
            "70,000 grey pictures of clothes at 28 px with labels, as four idx files",
            31,
            "https://github.com/zalandoresearch/fashion-mnist (MIT licence)",
            _FASHION_FILES,
            train="fashion-dcgan",
            pictures=70_000,
        ),
        _paired("facades", "labels to house fronts", 30, "http://cmp.felk.cvut.cz/~tylecr1/facade", "ba"),
        _paired("maps", "aerial pictures to maps", 250, f"{_NOTES} (Google Maps)"),
        _paired("edges2shoes", "edges to shoes", 2100, "http://vision.cs.utexas.edu/projects/finegrained/utzap50k"),
        _paired("edges2handbags", "edges to handbags", 8600, "https://github.com/junyanz/iGAN"),
        _paired("night2day", "outdoor scenes at night to day", 2000, "http://transattr.cs.brown.edu"),
        PublicSet("cityscapes", "street scenes and labels", 0, _NOTES, (), None, withheld=_CITYSCAPES),
        _unpaired(
            "horse2zebra", "horses and zebras", 117, _IMAGENET,
            "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
        ),
        _unpaired(
            "apple2orange", "apples and oranges", 78, _IMAGENET,
            "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
        ),
        _unpaired(
            "summer2winter_yosemite", "Yosemite in summer and winter", 133, f"{_NOTES} (Flickr)",
            "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
        ),
        _unpaired(
            "monet2photo", "Monet and landscape photographs", 305, f"{_NOTES} (WikiArt, Flickr)",
            "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
        ),
        _unpaired(
            "cezanne2photo", "Cezanne and landscape photographs", 280, f"{_NOTES} (WikiArt, Flickr)",
            "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
        ),
        _unpaired(
            "ukiyoe2photo", "ukiyo-e and landscape photographs", 293, f"{_NOTES} (WikiArt, Flickr)",
            "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
        ),
        _unpaired(
            "vangogh2photo", "Van Gogh and landscape photographs", 307, f"{_NOTES} (WikiArt, Flickr)",
            "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
        ),
        _unpaired(
            "maps-unpaired", "aerial pictures and maps", 1477, f"{_NOTES} (Google Maps)",
            "639534f69dbf9f36bef8d6292a7698006361221f83f0285d7c9ca78afe6e8a9e",
        ),
        _unpaired(
            "facades-unpaired", "house fronts and labels", 35, "http://cmp.felk.cvut.cz/~tylecr1/facade",
            "9a31ebf3a31b9b5cd195dd5bf62e9308e00cb94604d1019e3889ac84248695c0",
        ),
        PublicSet("cityscapes-unpaired", "street scenes, labels", 0, _NOTES, (), None, withheld=_CITYSCAPES),
        _unpaired(
            "iphone2dslr_flower", "flowers by telephone and by camera", 340, f"{_NOTES} (Flickr)",
            "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
        ),
        _unpaired("ae_photos", "photographs to try models on; no training pictures", 10, _NOTES, None, train=None),
        _unpaired("grumpifycat", "two kinds of cat", 20, _NOTES, None),
    )
}  # fmt: skip


def public_set(name: str) -> PublicSet:
    """The set of a name.

    Raises:
        UsageError: There is none.
    """
    if name not in PUBLIC_SETS:
        close = difflib.get_close_matches(name, PUBLIC_SETS, n=1)
        hint = f"did you mean {close[0]}?" if close else "`tintype data get --list` names them all"
        raise UsageError(f"{name}: no such public set; {hint}")
    return PUBLIC_SETS[name]
