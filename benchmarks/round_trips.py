"""What is kept between a picture and its translation, told by readers that are not Tintype's: a check of round trips.

    python benchmarks/round_trips.py [FOLDER ...] [--model MODEL] [--formats input,png,tif]

Without a FOLDER, pictures of many kinds are made. Each folder is translated in one call a format. Every failure is
printed, and a summary by check; the exit code is 1 where there was one. exiftool compares Exif, XMP and IPTC if it is
installed. Lightness is that of sRGB as a grey value; JPEG, WebP and AVIF change it by themselves and are left out of
that check, so are pictures with a profile that is neither sRGB nor made here.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from fresh_model import fresh_model
from independent import Reader, Seen
from made_pictures import GAMMA, PRIMARIES, make
from measured import run

KEPT_FORMATS = {"jpeg": "JPEG", "png": "PNG", "tif": "TIFF", "webp": "WEBP", "avif": "AVIF"}
LEFT_OUT = {  # tags of exiftool that may differ, and why
    r"EXIF:IFD0:Orientation": "orientation: has been applied",
    r"EXIF:(IFD0|ExifIFD):(ImageWidth|ImageHeight|ExifImageWidth|ExifImageHeight)": "size: turned with the orientation",
    r"EXIF:IFD1:.*|.*:(Thumbnail|PreviewImage|JpgFromRaw).*": "thumbnail: shows the source without colour",
    r"EXIF:IFD0:ImageHistory": "provenance: the mark stands there",
    r"EXIF:SubIFD\d*:.*": "reduced copies of the source",
    r"EXIF:(IFD0|IFD\d+|ExifIFD):(BitsPerSample|Compression|PhotometricInterpretation|FillOrder|Strip.*|SamplesPerPixel|"
    r"RowsPerStrip|PlanarConfiguration|Predictor|ColorMap|Tile.*|ExtraSamples|SampleFormat|JPEG.*|T4Options|T6Options|"
    r"SubfileType|OldSubfileType|YCbCr.*|ReferenceBlackWhite|TransferFunction|PageNumber|InkSet|DotRange|"
    r"MinSampleValue|MaxSampleValue|GrayResponse.*|Thresholding|NumberofInks|InkNames|SMinSampleValue|SMaxSampleValue|"
    r"Free.*|Cell.*)": "storage: how the samples of a TIFF stand in the file",
    r"EXIF:IFD0:(XResolution|YResolution|ResolutionUnit)": "resolution: compared by itself",
    r"EXIF:IFD[1-9]\d*:.*": "other pages",
    r".*:(MakerNoteOffset|PreviewImageStart|.*Offset)": "offset: says where in the file something stands",
    r"XMP:XMP-tintype:.*|XMP:XMP-iptcExt:DigitalSourceType": "provenance: the mark stands there",
    r"XMP:XMP-tiff:Orientation": "orientation: has been applied",
    r"XMP:XMP-x:XMPToolkit": "name of the program that wrote the packet",
    r"XMP:XMP-rdf:About": "name of the picture within the packet, written once more by the mark",
}
LINEAR_Y = np.array((0.2126729, 0.7151522, 0.0721750))


class Tally:
    """Counts what was checked and what failed."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.largest: dict[str, float] = {}

    def check(self, name: str, good: bool, path: Path, text: str) -> None:
        """Count, and print a failure."""
        (self.passed if good else self.failed)[name] += 1
        if not good:
            print(f"FAILED {name}: {path}: {text}", flush=True)


def notes_of(paths: list[Path]) -> dict[Path, dict[str, Any]]:
    """What exiftool finds in files: `family0:family1:tag` to value."""
    with tempfile.NamedTemporaryFile("w", suffix=".args") as file:
        file.write("\n".join(map(str, paths)))
        file.flush()
        words = ["exiftool", "-j", "-G0:1", "-n", "-b", "-api", "LargeFileSupport=1", "-fast0", "-@", file.name]
        done = subprocess.run(words, capture_output=True, timeout=900, check=False)
    found = json.loads(done.stdout.decode("utf-8", "replace") or "[]")
    return {Path(entry.pop("SourceFile")): entry for entry in found}


def described(profile: bytes) -> str:
    """The description of a profile by LittleCMS; empty: it cannot be read."""
    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
    except (OSError, ImageCms.PyCMSError):
        return ""


def linear(encoded: np.ndarray, profile: bytes, profile_name: str) -> np.ndarray | None:
    """Luminance `h w` of a picture; None where its profile is not known here."""
    values = encoded.astype(np.float64)
    if profile_name in GAMMA and profile:
        light = np.clip(values, 0, 1) ** (round(GAMMA[profile_name] * 256) / 256)
        if profile_name in PRIMARIES and values.shape[2] == 3:
            light = light @ np.array(PRIMARIES[profile_name]).T
    elif not profile or "sRGB" in profile_name:
        light = np.where(values > 0.04045, ((values.clip(0.04045) + 0.055) / 1.055) ** 2.4, values / 12.92)
    else:
        return None
    return light[..., 0] if light.shape[2] == 1 else light @ LINEAR_Y


def as_grey(light: np.ndarray) -> np.ndarray:
    """The sRGB value of a luminance."""
    return np.where(light > 0.0031308, 1.055 * light.clip(0.0031308) ** (1 / 2.4) - 0.055, light * 12.92)


def is_grey(seen: Seen) -> bool:
    """Whether a file holds no colour by its kind."""
    return seen.pixels.shape[2] == 1


def check_lightness(tally: Tally, source: Seen, result: Seen, target: Path, foreign: bool) -> None:
    """Compare luminance as grey values: 1 of 255, or 2 of 65,535."""
    if foreign:
        tally.skipped["lightness: decoders of AVIF differ in chroma and range, of JPEG 2000 in scale"] += 1
        return
    if source.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        tally.skipped["lightness: source is no RGB"] += 1
        return
    name = described(source.profile) if source.profile else ""
    before = linear(np.nan_to_num(source.pixels / source.white).clip(0, 1), source.profile, name)
    after = linear(result.pixels / result.white, result.profile, described(result.profile) if result.profile else "")
    if before is None or after is None:
        tally.skipped["lightness: profile not known here"] += 1
        return
    deep = min(source.bits, result.bits) > 8
    white, most = (65535, 2) if deep else (255, 1)
    error = float(np.abs(as_grey(before) - as_grey(after)).max() * white)
    kind = f"lightness of {16 if deep else 8} bits" + (f", {name}" if name in GAMMA else "")
    tally.largest[kind] = max(error, tally.largest.get(kind, 0))
    tally.check(kind, error <= most, target, f"off by {error:.2f} of {white}")


def check_pixels(tally: Tally, line: dict[str, Any], source: Seen, result: Seen, target: Path) -> None:
    """Compare what Pillow, tifffile and the PNG reader see."""
    said = " ".join(line["warnings"])
    size, found = source.pixels.shape[:2], result.pixels.shape[:2]
    tally.check("size", size == found, target, f"{found}, the source has {size}")
    most = 8 if target.suffix in (".jpg", ".jpeg", ".webp") else 16 if target.suffix == ".png" else 32
    tally.check(
        "depth",
        result.bits == min(most, max(8, source.bits)) or target.suffix == ".avif",
        target,
        f"{result.bits} bits, the source has {source.bits}",
    )
    if source.profile and source.profile[16:20] == b"RGB " and not is_grey(source) and "profile cannot" not in said:
        good = result.profile == source.profile
        tally.check("RGB profile byte for byte", good, target, f"{len(result.profile)} of {len(source.profile)} bytes")
    elif is_grey(source) or source.mode == "CMYK":
        name = described(result.profile)
        tally.check("named RGB profile", bool(name) and result.profile[16:20] == b"RGB ", target, name or "none")
    if size != found:
        return
    if "colour profile cannot be used" in said:
        tally.skipped["lightness: profile of another colour space, and said"] += 1
        return
    lossless = target.suffix in (".png", ".tif", ".tiff")
    if lossless and "jpeg" not in target.stem:
        check_lightness(
            tally, source, result, target, Path(line["input"]).suffix.startswith((".avif", ".hei", ".j2k", ".jp2"))
        )
    if source.alpha is not None and target.suffix not in (".jpg", ".jpeg", ".avif"):
        if result.alpha is None:
            # Pillow drops nothing, but a palette may name a transparent colour that no pixel has
            tally.check("alpha", bool((source.alpha == source.white).all()), target, "none in the result")
        else:
            before, after = source.alpha / source.white, result.alpha / result.white
            steps = 0.51 / (2 ** min(source.bits, result.bits) - 1) if source.bits != result.bits else 0
            good = before.shape == after.shape and float(np.abs(before - after).max()) <= steps
            tally.check("alpha", good, target, f"off by {np.abs(before - after).max():.2g} of 1")


def check_notes(
    tally: Tally, line: dict[str, Any], before: dict[str, Any], after: dict[str, Any], target: Path
) -> None:
    """Compare what exiftool sees; what the command says it has left out may be missing."""
    said = " ".join(line["warnings"])
    if Path(line["input"]).suffix == ".svg":
        before = {}
        tally.skipped["notes: SVG describes no pixels"] += 1
    for group, name in (("EXIF:", "Exif"), ("MakerNotes:", "maker notes"), ("XMP:", "XMP"), ("IPTC:", "IPTC")):
        if f"the {'Exif' if group == 'MakerNotes:' else name} data are left out" in said:
            tally.skipped[f"{name}: left out, and said"] += 1
            continue
        compared = {
            tag: value
            for tag, value in before.items()
            if tag.startswith(group) and not any(re.fullmatch(pattern, tag) for pattern in LEFT_OUT)
        }
        wrong = [
            f"{tag} is {str(after.get(tag, 'missing'))[:60]}, was {str(value)[:60]}"
            for tag, value in compared.items()
            if after.get(tag) != value
        ]
        if compared:
            tally.check(name, not wrong, target, "; ".join(wrong[:4]))
    marked = "Tintype" in str(after.get("EXIF:IFD0:ImageHistory", "")) and any("XMP-tintype" in tag for tag in after)
    tally.check("mark in Exif and XMP", marked, target, "missing")
    before_density, after_density = density(before), density(after)
    if before_density is not None and target.suffix in (".png", ".tif", ".tiff", ".jpg", ".jpeg"):
        good = after_density is not None and np.allclose(before_density, after_density, rtol=0.01)
        turned = after_density is not None and np.allclose(before_density[::-1], after_density, rtol=0.01)
        tally.check("resolution", bool(good or turned), target, f"{after_density}, was {before_density}")


def density(tags: dict[str, Any]) -> tuple[float, float] | None:
    """Pixels per inch."""
    if "PNG:PNG-pHYs:PixelsPerUnitX" in tags and tags.get("PNG:PNG-pHYs:PixelUnits") == 1:
        return tuple(float(tags[f"PNG:PNG-pHYs:PixelsPerUnit{axis}"]) * 0.0254 for axis in "XY")  # type: ignore[return-value]
    for group in ("JFIF:JFIF", "EXIF:IFD0"):
        unit = {2: 1.0, 3: 2.54}
        if group == "JFIF:JFIF":
            unit = {1: 1.0, 2: 2.54}
        factor = unit.get(tags.get(f"{group}:ResolutionUnit", 0))
        if factor and f"{group}:XResolution" in tags and f"{group}:YResolution" in tags:
            try:
                across, down = (float(tags[f"{group}:{axis}Resolution"]) * factor for axis in "XY")
            except ValueError:
                return None
            if across > 0 and down > 0:
                return across, down
    return None


def check_fits(tally: Tally, source: Path, target: Path, flux: bool) -> None:
    """Compare FITS files by astropy: size, world coordinates, keywords, blank pixels, and brightness of flux."""
    from astropy.io import fits
    from astropy.wcs import WCS

    warnings.simplefilter("ignore")
    with fits.open(source) as files, fits.open(target) as results:
        hdu = next(h for h in files if h.is_image and h.header["NAXIS"] >= 2 and h.data is not None)
        header, cube = results[0].header, results[0].data
        values = np.asarray(hdu.data, np.float64).reshape(-1, *hdu.shape[-2:])[0]
        tally.check("FITS: size", cube.shape == (3, *values.shape), target, f"{cube.shape}, was {values.shape}")
        lost = [
            card.keyword
            for card in hdu.header.cards
            if card.keyword in ("OBJECT", "EXPTIME", "DATE-OBS", "TELESCOP", "FILTER", "RADESYS", "EQUINOX")
            and header.get(card.keyword) != card.value
        ]
        tally.check("FITS: keywords", not lost, target, f"lost {lost}")
        history = "\n".join(map(str, header.get("HISTORY", [])))
        kept = all(str(line) in history for line in hdu.header.get("HISTORY", []))
        tally.check("FITS: HISTORY and mark", kept and "Tintype model" in history, target, "missing")
        blank = np.isnan(values)
        tally.check("FITS: blank pixels", bool((np.isnan(cube) == blank).all()), target, "differ")
        before, after = WCS(hdu.header, files, naxis=2), WCS(header, naxis=2)
        points = np.random.default_rng(0).uniform(0, min(values.shape), (20, 2))
        good = np.allclose(before.all_pix2world(points, 0), after.all_pix2world(points, 0), rtol=0, atol=1e-9)
        tally.check("FITS: world coordinates", good, target, "differ")
        if flux:
            total = np.tensordot((0.212671, 0.715160, 0.072169), cube.astype(np.float64), 1)
            error = float(np.nanmax(np.abs(total - values)) / np.nanmax(np.abs(values)))
            tally.largest["FITS: flux"] = max(error, tally.largest.get("FITS: flux", 0))
            tally.check("FITS: flux", error < 1e-5, target, f"off by {error:.2g} of the largest value")


def check_folder(
    folder: Path, out: Path, model: Path, file_format: str, tally: Tally, reader: Reader, *words: str
) -> None:
    """Translate a folder in one call, and check every result."""
    command = ["translate", str(folder), "--model", str(model), "--out", str(out), "--json", *words]
    if file_format != "input":
        command += ["--format", file_format]
    done = run(*command)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    print(f"{folder}, {' '.join([file_format, *words])}: {dict(Counter(line['status'] for line in lines))}", flush=True)
    tally.check("no traceback", "Traceback" not in done.stderr, folder, done.stderr[-300:])
    lines = [line for line in lines if line["status"] == "done"]
    names = [Path(line[key]) for line in lines for key in ("input", "output")]
    tags = notes_of(names) if shutil.which("exiftool") and names else {}
    for line in lines:
        source, target = Path(line["input"]), Path(line["output"])
        if target.suffix == ".fits" and ".fits" in source.name:
            check_fits(tally, source, target, "--flux" in words)
        if target.suffix == ".fits" or ".fits" in source.name:
            continue
        if target in tags and source in tags:
            check_notes(tally, line, tags[source], tags[target], target)
        before, after = reader.read(source), reader.read(target)
        if isinstance(after, str):
            tally.check("the result is read", False, target, after)
        elif isinstance(before, str):
            tally.skipped[f"source not read: {before.partition(':')[0]}"] += 1
        else:
            check_pixels(tally, line, before, after, target)


def main() -> None:
    """Make or take pictures, translate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--formats", default="input,png,tif")
    arguments = parser.parse_args()
    if not shutil.which("exiftool"):
        print("exiftool is missing: Exif, XMP, IPTC, resolution and marks are not compared")
    tally, reader = Tally(), Reader()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        model = arguments.model or fresh_model(work / "model", "tiny")
        folders = arguments.folders
        if not folders:
            make(work / "made")
            folders = [work / "made"]
        for number, folder in enumerate(folders):
            for file_format in arguments.formats.split(","):
                out = work / f"{number}-{file_format}"
                check_folder(folder, out, model, file_format, tally, reader)
                if not arguments.folders and file_format == "tif":
                    check_folder(
                        folder, work / "pages", model, "tif", tally, reader, "--other-pages", "keep", "--pyramid"
                    )
            if any(".fits" in path.name for path in folder.glob("**/*")):
                check_folder(folder, work / f"{number}-flux", model, "fits", tally, reader, "--flux")
    reader.close()
    for check in sorted(tally.passed | tally.failed):
        largest = f", largest {tally.largest[check]:.3g}" if check in tally.largest else ""
        print(f"{check}: {tally.passed[check]} kept, {tally.failed[check]} not{largest}")
    for reason, number in tally.skipped.most_common():
        print(f"not compared, {reason}: {number}")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
