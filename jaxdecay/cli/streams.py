"""Standard output and error, whatever their encoding, and also when nobody reads them any more."""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata

READABLE = {
    "−": "-",
    "–": "-",
    "—": "-",
    "·": "*",
    "×": "x",
    "⁄": "/",
    "√": "sqrt",
    "±": "+-",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "∝": "~",
    "→": "->",
    "‖": "||",
    "∞": "inf",
    "⌊": "floor(",
    "⌋": ")",
    "∑": "sum",
    "Σ": "sum",
    "…": "...",
    "„": '"',
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "│": "|",
    "─": "-",
    "┤": "+",
    "├": "+",
    "┬": "+",
    "┴": "+",
    "└": "+",
    "┘": "+",
    "┌": "+",
    "┐": "+",
    "┼": "+",
    "█": "#",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "½": "0.5",
}
"""What stands for a character that an encoding lacks; all others are found by their names."""

ASCII = "jaxdecay-ascii"
"""ASCII by a name that typer does not know: to a stream that says "ascii" it writes UTF-8."""


def degrade() -> None:
    """From now on, output never fails for its characters: those that are missing are replaced."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=ASCII if ascii_only else None, errors="readable")


def readable(text: str) -> str:
    """A text as standard output shows it: for what is put into columns, which has to fit."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "readable").decode(encoding, "surrogateescape")


def drop_unwritten() -> None:
    """Gives up output that cannot be written, which Python would complain about when it ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as where it was closed from the beginning
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """The error handler: one character at a time."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, place = error.object, error.start
    character = text[place]
    if "\udc80" <= character <= "\udcff":  # a byte of a file's name, which is no text
        return bytes([ord(character) - 0xDC00]), place + 1
    if _is_raised(character):
        first = place == 0 or not _is_raised(text[place - 1])
        return ("^" if first else "") + _plain(character), place + 1
    found = _plain(character)
    if len(found) > 1 and found.isalpha():  # a word, which must not run into what is around it
        before, after = text[:place][-1:], text[place + 1 :][:1]
        found = " " * before.isalpha() + found + " " * after.isalnum()
    return found, place + 1


def _plain(character: str) -> str:
    """A character in ASCII: by the table, without its accents, or a Greek letter by its name."""
    if character in READABLE:
        return READABLE[character]
    parts = unicodedata.normalize("NFKD", character)
    found = "".join(READABLE.get(part, part) for part in parts)
    plain = found.encode("ascii", "ignore").decode()
    name = unicodedata.name(character, "")
    if not plain and name.startswith("GREEK"):
        plain = name.split()[3 if "LETTER" in name else 0].lower()
    return plain or ("" if unicodedata.combining(character) else "?")


def _is_raised(character: str) -> bool:
    return unicodedata.decomposition(character).startswith("<super>")


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != ASCII:
        return None
    known = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=ASCII,
        encode=known.encode,
        decode=known.decode,
        incrementalencoder=known.incrementalencoder,
        incrementaldecoder=known.incrementaldecoder,
        streamwriter=known.streamwriter,
        streamreader=known.streamreader,
    )


codecs.register_error("readable", _replaced)
codecs.register(_find_ascii)
