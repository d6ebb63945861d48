"""The corpus of answers, and how a rendering is stored."""

from pathlib import Path

from sympozium.chat.markup import Dialect, LengthUnit, Limit, Piece

FOLDER = Path(__file__).parent
ANSWERS = {path.stem: path.read_bytes().decode() for path in (FOLDER / "corpus").glob("*.md")}

LIMITS = {
    Dialect.SLACK: Limit(4_000, LengthUnit.CODE_POINTS),
    Dialect.TELEGRAM: Limit(4_096, LengthUnit.UTF16),
    Dialect.DISCORD: Limit(2_000, LengthUnit.UTF16),
    Dialect.MARKDOWN: Limit(12_000, LengthUnit.CODE_POINTS),
}
NARROW = Limit(400, LengthUnit.UTF16)

_INVISIBLE = {0x200B: "‹ZWSP›", 0x2060: "‹WJ›", 0x202E: "‹RLO›", 0x00: "‹NUL›", 0x1B: "‹ESC›"}


def limit_for(name: str, dialect: Dialect) -> Limit:
    """Return the platform's limit, or a narrow one for the answers that are there to be split."""
    return NARROW if name.startswith("split-") else LIMITS[dialect]


def golden_path(name: str, dialect: Dialect) -> Path:
    """Return where the rendering of an answer is stored."""
    return FOLDER / "golden" / dialect.value / f"{name}.txt"


def shown(pieces: list[Piece]) -> str:
    """Return *pieces* as they are stored: zero-width characters can be seen."""
    parts = [
        f"=== {number} text\n{piece.text}\n=== {number} plain\n{piece.plain}\n"
        for number, piece in enumerate(pieces, start=1)
    ]
    return "".join(parts).translate(_INVISIBLE)
