"""What a platform can do, as data: the common code shows less where a platform can do less."""

from dataclasses import dataclass

from sympozium.chat.markup import Dialect, Limit


@dataclass(frozen=True)
class Rate:
    """At most *count* calls within any *per_s* seconds."""

    count: int
    per_s: float


@dataclass(frozen=True)
class Capabilities:
    """One platform, described.

    Attributes:
        platform: As `Channel.spec.type` has it.
        dialect: The markup of its messages.
        limit: Length of one message.
        can_edit: A message of ours can be changed. Where not, there is no placeholder and
            no growing answer: only the end is shown.
        can_mark: A reaction can be put on a person's message.
        has_choices: Buttons or menus; where not, choices are written out as commands.
        has_private: Something can be shown to one person only in a channel or group.
        max_file_bytes: Largest file that can be sent; 0: none can.
        max_pieces: A longer answer is sent as its beginning and a file.
        signal_every_s: How often "typing" must be repeated to stay; 0: there is none.
        preview_every_s: Shortest time between two states of a growing answer.
        per_chat: What the platform allows in one chat, for everything that is visible there.
        overall: What it allows the bot in all.
        finds_posts: `post` with `again` finds what was posted before under the same key.
            Where not, a placeholder is posted and noted before anything that must not be
            seen twice, and is then edited: two calls where one would do.
    """

    platform: str
    dialect: Dialect
    limit: Limit
    can_edit: bool
    can_mark: bool
    has_choices: bool
    has_private: bool
    max_file_bytes: int
    max_pieces: int
    signal_every_s: float
    preview_every_s: float
    per_chat: tuple[Rate, ...]
    overall: tuple[Rate, ...]
    finds_posts: bool = False
