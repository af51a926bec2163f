"""Pictures of the kinds that collections lack: every depth, layout, compression, profile, orientation, kind of note."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, WIDTH = 60, 90
PRIMARIES = {  # linear light to sRGB; P3: SMPTE EG 432-1, Adobe RGB (1998), both with white of D65
    "made P3": ((1.2249402, -0.2249402, 0), (-0.0420570, 1.0420570, 0), (-0.0196376, -0.0786361, 1.0982735)),
    "made Adobe RGB": ((1.3983557, -0.3983557, 0), (0, 1, 0), (0, -0.0429290, 1.0429290)),
}
GAMMA = {"made P3": 2.2, "made Adobe RGB": 563 / 256, "made grey": 1.8}
_TO_PCS = ((0.4360747, 0.3850649, 0.1430804), (0.2225045, 0.7168786, 0.0606169), (0.0139322, 0.0971045, 0.7141733))
_WHITE = (0.9642, 1.0, 0.8249)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:own="urn:own:1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="1" own:shelf="B 12">'
    b"<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>Br\xc3\xbccke</rdf:li></rdf:Alt></dc:title>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)
_IPTC = b"".join(
    struct.pack(">BBBH", 28, 2, number, len(text)) + text for number, text in ((5, b"Bridge"), (80, b"A. Nother"))
)


def profile(name: str) -> bytes:
    """An ICC profile of a name in `GAMMA` (ICC.1:2022): one curve, and primaries unless it is grey."""
    text = b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", 2 * len(name), 28) + name.encode("utf-16-be")
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(GAMMA[name] * 256))
    tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(_WHITE)}
    if name in PRIMARIES:
        columns = (np.array(_TO_PCS) @ np.array(PRIMARIES[name])).T
        tags |= {tag: _xyz(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    else:
        tags[b"kTRC"] = curve
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data.ljust(-(-len(data) // 4) * 4, b"\0")
    space = b"RGB " if name in PRIMARIES else b"GRAY"
    head = struct.pack(">8xI4s4s4s12x4s28x12s48x", 0x04300000, b"mntr", space, b"XYZ ", b"acsp", _xyz(_WHITE)[8:])
    return struct.pack(">I", start + len(body)) + head[4:] + struct.pack(">I", len(tags)) + table + body


def _xyz(values: Any) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(65536 * float(value)) for value in values))


def scene(channels: int) -> np.ndarray:
    """Values in [0, 1] `h w c`: a ramp from black to white, noise, and, where there is colour, all of the cube."""
    random = np.random.default_rng(channels)
    ramp = np.linspace(0, 1, HEIGHT * WIDTH // 3).reshape(-1, WIDTH, 1).repeat(channels, 2)
    smooth = 0.5 + 0.5 * np.sin(np.arange(WIDTH)[None, :, None] / 9 + np.arange(channels))
    smooth = smooth * np.linspace(0, 1, HEIGHT // 3)[:, None, None]
    return np.concatenate((ramp, smooth, random.uniform(0, 1, (HEIGHT // 3, WIDTH, channels))))


def make(folder: Path) -> None:
    """Write them all."""
    folder.mkdir(parents=True, exist_ok=True)
    _make_png(folder)
    _make_tiff(folder)
    _make_by_pillow(folder)
    _make_fits(folder)


def _samples(channels: int, kind: str) -> np.ndarray:
    values = scene(channels)
    if kind == "float32":
        return values.astype(np.float32)
    return np.rint(values * np.iinfo(kind).max).astype(kind)


def _make_png(folder: Path) -> None:
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    plain = {"none": b"", "p3": profile("made P3"), "adobe": profile("made Adobe RGB")}
    for name, channels, space in (
        ("grey", 1, b""),
        ("grey_profile", 1, profile("made grey")),
        ("grey_alpha", 2, b""),
        ("alpha", 4, b""),
        *((f"colour_{name}", 3, data) for name, data in plain.items()),
    ):
        kinds = {1: 0, 3: 2, 2: 4, 4: 6}
        header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, kinds[channels], 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in _samples(channels, "uint16"))
        extra = chunk(b"iCCP", b"a\0\0" + zlib.compress(space)) if space else b""
        extra += chunk(b"pHYs", struct.pack(">IIB", 5906, 5906, 1)) + chunk(b"tEXt", b"Author\0A. Nother")
        data = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
        (folder / f"deep_{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def _make_tiff(folder: Path) -> None:
    import tifffile

    def write(name: str, samples: np.ndarray, **options: Any) -> None:
        photometric = "rgb" if samples.shape[-1] >= 3 else "minisblack"
        tifffile.imwrite(folder / f"{name}.tif", samples.squeeze(), photometric=photometric, metadata=None, **options)

    for kind in ("uint8", "uint16", "uint32", "float32"):
        for channels in (1, 3):
            write(f"{kind}_{channels}", _samples(channels, kind))
        write(f"{kind}_alpha", _samples(4, kind), extrasamples=["unassalpha"])
    deep = _samples(3, "uint16")
    planes = np.moveaxis(deep, 2, 0)
    tifffile.imwrite(folder / "planar.tif", planes, photometric="rgb", planarconfig="separate", metadata=None)
    write("tiled", deep, tile=(32, 32))
    write("bigtiff", deep, bigtiff=True)
    write("big_endian", deep, byteorder=">")
    write("strips", deep, rowsperstrip=7)
    write("deflate", deep, compression="zlib", predictor=False)
    write("resolution", deep, resolution=(120.5, 240.25), resolutionunit="CENTIMETER")
    write("p3_tif", deep, iccprofile=profile("made P3"))
    write("grey_profile_tif", _samples(1, "uint16"), iccprofile=profile("made grey"))
    with tifffile.TiffWriter(folder / "pages.tif") as file:
        for page in range(3):
            file.write(np.roll(_samples(1, "uint16"), page * 20)[..., 0], photometric="minisblack", metadata=None)


def _make_by_pillow(folder: Path) -> None:
    from PIL import Image, ImageCms

    colour = Image.fromarray(_samples(3, "uint8"))
    grey = Image.fromarray(_samples(1, "uint8")[..., 0])
    alpha = Image.fromarray(_samples(4, "uint8"))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x8298] = "Maker", "Model", "A. Nother"
    exif.get_ifd(0x8769).update({0x829A: (1, 125), 0x9003: "1931:05:04 10:20:30", 0xA002: WIDTH, 0xA003: HEIGHT})
    exif.get_ifd(0x8769)[0x927C] = b"OWNMAKER" + bytes(range(200))
    exif.get_ifd(0x8825).update({1: "N", 2: (59.0, 20.0, 15.5)})
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4"):
        picture = grey.convert("1") if compression == "group4" else colour
        picture.save(folder / f"pillow_{compression}.tif", compression=compression, dpi=(300, 300))
    grey.save(folder / "notes.tif", exif=exif, tiffinfo={700: XMP, 33723: _IPTC})
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for suffix in ("jpg", "png", "webp", "avif"):
        for orientation in range(1, 9):
            exif[0x0112] = orientation
            grey.save(folder / f"turned_{orientation}_{suffix}.{suffix}", exif=exif, xmp=XMP)
        for name, data in (("srgb", srgb), ("p3", profile("made P3")), ("adobe", profile("made Adobe RGB"))):
            colour.save(folder / f"{name}_{suffix}.{suffix}", icc_profile=data, quality=95)
        grey.save(folder / f"grey_profile_{suffix}.{suffix}", icc_profile=profile("made grey"))
        if suffix != "jpg":
            alpha.save(folder / f"alpha_{suffix}.{suffix}", lossless=True)
    for orientation in range(1, 9):
        colour.save(folder / f"turned_{orientation}_tif.tif", tiffinfo={274: orientation})
    resources = (
        b"Photoshop 3.0\0" + struct.pack(">4sHHI", b"8BIM", 0x0404, 0, len(_IPTC)) + _IPTC + bytes(len(_IPTC) % 2)
    )
    stream = io.BytesIO()
    grey.save(stream, "JPEG", exif=exif, quality=95)
    data = stream.getvalue()
    (folder / "iptc.jpg").write_bytes(data[:2] + struct.pack(">HH", 0xFFED, len(resources) + 2) + resources + data[2:])
    colour.convert("CMYK").save(folder / "cmyk.jpg")
    colour.convert("CMYK").save(folder / "cmyk_deflate.tif")
    colour.quantize(64).save(folder / "palette.png")
    colour.quantize(64).save(folder / "palette_transparent.png", transparency=3)
    alpha.save(folder / "lossless.webp", lossless=True, exact=True)
    colour.save(folder / "animation.gif", save_all=True, append_images=[grey.convert("RGB")])
    colour.save(folder / "colour.ppm")
    colour.save(folder / "colour_bmp.bmp")
    for mode in ("1", "L"):
        grey.convert(mode).save(folder / f"grey_{mode}.png", dpi=(300, 300))
    for bits in (2, 4):
        grey.quantize(2**bits).save(folder / f"palette_{bits}.png", bits=bits)


def _make_fits(folder: Path) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [83.6, 22.0], [40.5, 31.25]
    wcs.wcs.cd = np.array([[-2.7e-4, 1e-5], [1.1e-5, 2.7e-4]])
    header = wcs.to_header()
    header["OBJECT"], header["EXPTIME"] = "M 1", 1200.0
    header.add_history("flat-fielded")
    values = (1000 * scene(1)[..., 0] ** 3 - 20).astype(np.float32)
    values[:5, :7] = np.nan
    fits.PrimaryHDU(values, header).writeto(folder / "float.fits")
    fits.PrimaryHDU(np.nan_to_num(values).astype(np.float64), header).writeto(folder / "double.fits")
    fits.PrimaryHDU(np.rint(60 * np.nan_to_num(values)).clip(0, 65535).astype(np.uint16), header).writeto(
        folder / "bzero.fits"
    )
    empty = fits.PrimaryHDU(header=fits.Header([("TELESCOP", "Own", "")]))
    fits.HDUList([empty, fits.ImageHDU(values, header, name="SCI")]).writeto(folder / "extension.fits")
    (folder / "packed.fits.gz").write_bytes(gzip.compress((folder / "float.fits").read_bytes()))
    fits.PrimaryHDU(np.stack((values, values[::-1])), header).writeto(folder / "cube.fits")
