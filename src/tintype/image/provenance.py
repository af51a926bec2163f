"""The mark that every result carries: that it was predicted, by which model and how; written and read again.

In files that libvips writes it stands in XMP, and for the eye in Exif and PNG text; in FITS in HISTORY cards. Files may
come from anywhere, so that a mark is read with care: nothing is expanded, and what is not understood is no mark.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import pyvips

from tintype.errors import ImageError

_NAMESPACE = "urn:tintype:provenance:1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_OUR_MARK = re.compile(rf'<rdf:Description\b[^<>]*\bxmlns:tintype="{re.escape(_NAMESPACE)}"[^<>]*/>\n?')
_CLOSING = re.compile(r"</(?:[\w.-]+:)?RDF\s*>")
_ABOUT = re.compile(r"""\brdf:about\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_ORIENTATION = re.compile(r"""(\btiff:Orientation(?:\s*=\s*["']|\s*>\s*))[0-9]+""")
_OTHER_SOURCE_TYPE = re.compile(r"""((?<!/)\bIptc4xmpExt:DigitalSourceType(?:\s*=\s*["']|\s*>))[^"'<>]*""")

_XMP_LIMIT = 16 * 2**20  # bytes; packets with thumbnails in them have some hundred thousand
_VALUE_LIMIT = 10_000  # letters of a value in a mark
_HISTORY_WIDTH = 68  # letters; a HISTORY card holds 72
_HEADER_LIMIT = 2**24  # bytes of a FITS header that are searched


@final
@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a result, and how."""

    tintype: str
    """Version."""
    model: str
    """Name of the model file, or `bundled:NAME`."""
    recipe: str
    recipe_digest: str
    model_digest: str
    """First 16 hexadecimal digits of the SHA-256."""
    step: int
    direction: str
    predicted: Literal["colour", "picture"]
    """What the source does not have: colour, or all that is seen."""
    settings: tuple[tuple[str, str], ...] = ()
    """Names and values: strength, stretch, hdu, seed, ..."""

    def to_text(self) -> str:
        """Say it in one line of ASCII, for Exif and PNG text; the line starts with "Tintype "."""
        return " ".join(
            (
                f"Tintype {_plain(self.tintype)}: {self.predicted} was predicted by",
                f"{_plain(self.model)} (SHA-256 {_plain(self.model_digest)}), step {self.step},",
                f"direction {_plain(self.direction)}, recipe {_plain(self.recipe)}",
                f"({_plain(self.recipe_digest)})",
                *(f"{_plain(name)}={_plain(value)}" for name, value in self.settings),
            )
        )

    def history_lines(self) -> list[str]:
        """Say it in lines of ASCII of at most 68 letters, for the HISTORY of a FITS header; see `from_history`."""
        lines = [f"Tintype: {self.predicted} was predicted, not measured"]
        for name, value in _fields(self).items():
            # FITS drops blanks at the end of a card
            text, sign = re.sub(" (?= |$)", r"\\u0020", _plain(value)), "="
            while text or sign == "=":
                start = f"Tintype {name} {sign} "
                part = text[: _HISTORY_WIDTH - len(start)].rstrip()
                lines.append((start + part).rstrip())
                text, sign = text[len(part) :], "+"
        return lines

    def to_xmp(self, existing: bytes = b"") -> bytes:
        """Write the mark into an XMP packet, in place of that of an earlier run; all else stays as it is.

        Raises:
            ValueError: The existing packet is damaged, or has a document type, which none needs and attacks use.
        """
        packet = upright_xmp(existing) if existing.strip(b"\0 \n") else _EMPTY
        packet = _OUR_MARK.sub("", packet)
        about = _ABOUT.search(packet)
        namespaces = {"rdf": _RDF, "tintype": _NAMESPACE}
        properties = {f"tintype:{name}": value for name, value in _fields(self).items()}
        packet, others = _OTHER_SOURCE_TYPE.subn(lambda match: match[1] + _SOURCE_TYPE, packet)
        if not others:
            namespaces["Iptc4xmpExt"] = _IPTC_EXT
            properties["Iptc4xmpExt:DigitalSourceType"] = _SOURCE_TYPE
        written = [f'rdf:about="{(about[1] or about[2] or "") if about else ""}"']  # of one picture, so all alike
        written += [f'xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items()]
        written += [f"{name}={quoteattr(_without_controls(value))}" for name, value in properties.items()]
        mark = f"<rdf:Description {' '.join(written)}/>\n"
        closings = list(_CLOSING.finditer(packet))
        if not closings:
            raise ValueError("no RDF in the packet")
        at = closings[-1].start()
        packet = packet[:at] + mark + packet[at:]
        _parse(packet)
        return packet.encode()


def from_history(lines: Iterable[str]) -> Provenance | None:
    """Find the mark in the HISTORY of a FITS header, the last if there are several."""
    fields: dict[str, str] = {}
    for line in lines:
        if line.startswith("Tintype: "):
            fields = {}
        match = re.match(r"Tintype ([a-z_]+) ([=+]) ?(.*)", line.rstrip())
        if match:
            name, sign, text = match.groups()
            fields[name] = (fields.get(name, "") if sign == "+" else "") + text
    try:
        return _from_fields({name: json.loads(f'"{text}"') for name, text in fields.items()})
    except ValueError:
        return None


def upright_xmp(existing: bytes) -> str:
    """Return an XMP packet of a picture whose orientation has been applied.

    Raises:
        ValueError: As for `Provenance.to_xmp`.
    """
    if len(existing) > _XMP_LIMIT:
        raise ValueError("the packet is too large")
    packet = existing.rstrip(b"\0").decode("utf-8-sig")
    _parse(packet)
    return _ORIENTATION.sub(r"\g<1>1", packet)


def from_xmp(packet: bytes) -> Provenance | None:
    """Find the mark in an XMP packet."""
    try:
        return _from_fields(_parse(packet.rstrip(b"\0").decode("utf-8-sig")) if len(packet) <= _XMP_LIMIT else {})
    except ValueError:
        return None


def read_provenance(path: Path) -> Provenance | None:
    """Read the mark of a file that Tintype has written; None for files that have none.

    Raises:
        ImageError: The file is missing or no picture.
    """
    from tintype.image.source import vips_reason

    try:
        with path.open("rb") as file:
            start = file.read(9)
            file.seek(0)
            if start.startswith(b"\x1f\x8b"):
                with gzip.GzipFile(fileobj=file) as unpacked:
                    return from_history(_history(unpacked))
            if start == b"SIMPLE  =":
                return from_history(_history(file))
            source = pyvips.Source.new_from_descriptor(file.fileno())
            image = pyvips.Image.new_from_source(source, "", access="sequential")
            return from_xmp(image.get("xmp-data")) if image.get_typeof("xmp-data") else None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (EOFError, zlib.error) as error:
        raise ImageError(f"{path}: not a readable picture (its compressed data are damaged)") from error
    except pyvips.Error as error:
        raise ImageError(f"{path}: not a readable picture ({vips_reason(error)})") from error


_EMPTY = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="{_RDF}">
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def _fields(provenance: Provenance) -> dict[str, str]:
    return {
        "tintype": provenance.tintype,
        "model": provenance.model,
        "recipe": provenance.recipe,
        "recipe_digest": provenance.recipe_digest,
        "model_digest": provenance.model_digest,
        "step": str(provenance.step),
        "direction": provenance.direction,
        "predicted": provenance.predicted,
        "settings": json.dumps(dict(provenance.settings), ensure_ascii=False, separators=(",", ":")),
    }


def _from_fields(fields: dict[str, str]) -> Provenance | None:
    """Build a mark from what was read.

    Raises:
        ValueError: There is a mark that is damaged.
    """
    names = (
        "tintype",
        "model",
        "recipe",
        "recipe_digest",
        "model_digest",
        "step",
        "direction",
        "predicted",
        "settings",
    )
    if not all(name in fields and len(fields[name]) <= _VALUE_LIMIT for name in names):
        return None
    step, predicted = fields["step"], fields["predicted"]
    if not re.fullmatch(r"[0-9]{1,15}", step) or predicted not in ("colour", "picture"):
        return None
    try:
        settings: Any = json.loads(fields["settings"])
    except RecursionError:
        return None
    if not isinstance(settings, dict):
        return None
    return Provenance(
        tintype=fields["tintype"],
        model=fields["model"],
        recipe=fields["recipe"],
        recipe_digest=fields["recipe_digest"],
        model_digest=fields["model_digest"],
        step=int(step),
        direction=fields["direction"],
        predicted="colour" if predicted == "colour" else "picture",
        settings=tuple((name, str(value)) for name, value in settings.items()),
    )


def _parse(packet: str) -> dict[str, str]:
    """Check that a packet is XML, and return the attributes of our namespace in it.

    Raises:
        ValueError: It is not, or has a document type.
    """
    found: dict[str, str] = {}

    def refuse(*_: object) -> None:
        raise ValueError("XMP with a document type")

    def start(_: str, attributes: dict[str, str]) -> None:
        for name, value in attributes.items():
            if name.startswith(_NAMESPACE + "|"):
                found[name.partition("|")[2]] = value

    parser = expat.ParserCreate("utf-8", "|")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    try:
        parser.Parse(packet.encode(), True)
    except expat.ExpatError as error:
        raise ValueError(f"damaged XMP: {error}") from error
    return found


def _plain(value: str) -> str:
    """Write text in printable ASCII, as JSON does."""
    return json.dumps(value)[1:-1]


def _without_controls(value: str) -> str:
    """Leave out what XML cannot hold."""
    return "".join(letter for letter in value if letter.isprintable())


def _history(file: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    """The HISTORY cards of the first header of a FITS file."""
    for _ in range(_HEADER_LIMIT // 80):
        card = file.read(80).decode("ascii", "replace")
        if len(card) < 80 or card.startswith("END     "):
            break
        if card.startswith("HISTORY "):
            yield card[8:]
