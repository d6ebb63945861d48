"""Answers that no one would write, for properties that hold for every answer."""

from hypothesis import strategies as st

from sympozium.chat.markup import LengthUnit, Limit

# Addresses are of small ASCII letters, words are not: see `letters`.
WORDS = ["ALPHA", "BETA", "GAMMA", "Δέλτα", "語彙", "É̂", "WÖRTER", "X" * 90, "句。子！" * 20]
EMOJI = ["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "❤️", "𠜎"]
SPANS = ["**", "*", "_", "__", "~~", "`", "``", "***"]
BLOCKS = [
    "\n", "\n\n", "  \n", "\n- ", "\n  - ", "\n1. ", "\n7) ", "\n> ", "\n> > ", "\n# ", "\n#### ",
    "\n```py\n", "\n```\n", "\n````\n", "\n    ", "\n---\n", "\n===\n", "\n- [ ] ", "\n- [x] ",
    "\n~~~\n",
]  # fmt: skip
LINKS = [
    "[label](https://e.example/p)", "![image](https://e.example/i.png)", "https://e.example/a_b",
    "<https://e.example>", "[other](docs/x)", "[o](tg://user?id=1)", "[", "](", ")", "!",
    "[https://bank.example](https://evil.example)",
]  # fmt: skip
PINGS = [
    "<!channel>", "@everyone", "@here", "@channel", "<@U123>", "<@123>", "<@&123>", "<#C12>",
    "@somebody", "@", "<", "<@", "<!", "a@b.example", "\\@everyone", "&#64;here", "&lt;!here&gt;",
]  # fmt: skip
SIGNS = ["&", ">", "\\", "|", "#", "-", "+", "1.", "=", "&amp;", "<b>", "</b>", '"', "(", ":", "."]
ODDITIES = ["\u202e", "\x00", "\x1b[0m", "\ud800", "\u2028", "\t", "\ufeff", "\u200b"]
SPACES = [" "] * 12

tokens = st.sampled_from(
    WORDS * 3 + EMOJI + SPANS * 2 + BLOCKS * 2 + LINKS + PINGS + SIGNS + ODDITIES + SPACES
)
answers = st.one_of(
    st.lists(tokens, max_size=120).map("".join),
    st.lists(tokens, min_size=30, max_size=60).map(lambda some: "".join(some * 4)),
    st.text(max_size=300),
)
"""Markdown, mostly broken, sometimes long."""

limits = st.builds(
    Limit,
    size=st.sampled_from([200, 201, 256, 333, 500, 2_000]),
    unit=st.sampled_from(LengthUnit),
)

prose = st.lists(
    st.lists(
        st.sampled_from(["alpha", "Beta", "wörter", "語彙", "👩‍👩‍👧‍👦", "𠜎", "42", "x,", "so;"]),
        min_size=1,
        max_size=30,
    ).map(" ".join),
    min_size=1,
    max_size=6,
).map("\n\n".join)
"""Paragraphs without any markup."""
