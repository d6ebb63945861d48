"""The newest part of a stream that is too long for one piece."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sympozium.chat.markup.flow import (
    NO_INK,
    Close,
    Element,
    Gap,
    Ink,
    Line,
    Mark,
    Open,
    Word,
)
from sympozium.chat.markup.length import LengthUnit, Limit, measure
from sympozium.chat.markup.split import fits, longest

_ELLIPSIS = Word(Ink("…", "…"))
_BEGINNING = "…\n\n"


@dataclass(frozen=True, slots=True)
class _Place:
    """What surrounds an element: the marks that are open before it, and how its lines begin."""

    marks: tuple[Mark, ...]
    rest: Ink


def newest(elements: Sequence[Element], limit: Limit, *, is_whole: bool) -> Sequence[Element]:
    """Return the end of a stream as a stream that fits in one piece; all of it if all fits.

    Otherwise, and if the stream was not the whole answer, it begins with an ellipsis, and
    then with a line, or within one if the last line is too long.
    """
    if is_whole and fits(elements, limit):
        return elements
    places = _places(elements)
    start = _start(elements, places, limit)
    if start == len(elements):
        return [_ELLIPSIS]
    first, place = elements[start], places[start]
    opened = [Open(mark, is_again=True) for mark in place.marks]
    if isinstance(first, Line):
        return [_ELLIPSIS, replace(first, blank=NO_INK), *opened, *elements[start + 1 :]]
    in_block = any(mark.spans_lines for mark in place.marks)
    joint = Line(place.rest, place.rest, blank=NO_INK) if in_block else Gap(" ")
    rest = elements[start + 1 :] if isinstance(first, Gap) else elements[start:]
    return [_ELLIPSIS, joint, *opened, *rest]


def _places(elements: Sequence[Element]) -> list[_Place]:
    places: list[_Place] = []
    here = _Place((), NO_INK)
    for element in elements:
        places.append(here)
        match element:
            case Open(mark):
                here = _Place((*here.marks, mark), here.rest)
            case Close():
                here = _Place(here.marks[:-1], here.rest)
            case Line(rest=rest):
                here = _Place(here.marks, rest)
    return places


def _start(elements: Sequence[Element], places: Sequence[_Place], limit: Limit) -> int:
    """Return the first element of the newest part, a line if the part is not much shorter for it.

    Sizes are estimated from above, so the part surely fits.
    """
    used = measure(_BEGINNING, limit.unit)
    line = within = len(elements)
    line_size = 0
    for index in range(len(elements) - 1, -1, -1):
        used += _cost(elements[index], places[index], limit.unit)
        if used > limit.size:
            break
        around = sum(_mark_cost(mark, places[index], limit.unit) for mark in places[index].marks)
        around += _ink_cost(places[index].rest, limit.unit)
        if used + around > limit.size or isinstance(elements[index], Close):
            continue
        within = index
        if isinstance(elements[index], Line):
            line, line_size = index, used
    return line if line_size * 2 >= limit.size else within


def _cost(element: Element, place: _Place, unit: LengthUnit) -> int:
    """Return the most room that *element* can take."""
    match element:
        case Word():
            return measure(longest(element), unit)
        case Gap(text):
            return measure(text, unit)
        case Line(prefix=prefix, blank=blank, ending=ending):
            reopened = (mark for mark in place.marks if not mark.spans_lines)
            return (
                len(ending)
                + len("\n\n")
                + _ink_cost(prefix, unit)
                + _ink_cost(blank or NO_INK, unit)
                + sum(_mark_cost(mark, place, unit) for mark in reopened)
            )
        case Open(mark):
            return _mark_cost(mark, place, unit)
        case Close():
            return 0


def _mark_cost(mark: Mark, place: _Place, unit: LengthUnit) -> int:
    opening = max(mark.opening, mark.reopening or NO_INK, key=lambda ink: _ink_cost(ink, unit))
    texts = opening.text + mark.closing.text
    parted = measure(mark.guard, unit) * 2 + measure(mark.seam, unit)
    in_text = measure(texts, unit) + texts.count("\n") * measure(place.rest.text, unit)
    return parted + max(in_text, measure(opening.plain + mark.closing.plain, unit))


def _ink_cost(ink: Ink, unit: LengthUnit) -> int:
    return max(measure(ink.text, unit), measure(ink.plain, unit))
