"""A model's Markdown as a platform shows it: in its dialect and limit, pinging nobody."""

from sympozium.chat.markup.dialect import Dialect
from sympozium.chat.markup.length import LengthUnit, Limit
from sympozium.chat.markup.render import escape, preview, render
from sympozium.chat.markup.split import Piece

__all__ = ["Dialect", "LengthUnit", "Limit", "Piece", "escape", "preview", "render"]
