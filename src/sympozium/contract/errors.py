"""The two kinds of failure that code acts on: again later may work, or a person must act.

An error's text follows one grammar: `cannot <verb> <thing>: <cause>; <what to do>`.
It never holds a secret or a payload, because it may be logged and stored.
"""


class SympoziumError(Exception):
    """Any failure that Sympozium itself describes."""


class TransientError(SympoziumError):
    """The same call may succeed later. Retry with a growing delay."""


class PermanentError(SympoziumError):
    """The same call will fail again. A person must act; set the work aside visibly."""
