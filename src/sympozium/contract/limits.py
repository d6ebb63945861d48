"""Sizes, counts and times that more than one program relies on."""

from datetime import timedelta

MAX_NAME_CHARS = 63
"""Longest DNS label, so longest label value and pod name we may use.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

MAX_TEXT_BYTES = 64 * 1024
"""Longest text of one inbound message, in UTF-8 bytes."""

MAX_STATUS_RESULT_BYTES = 64 * 1024
"""Longest result kept in an AgentRun's status; a longer one is referred to by its sequence."""

MAX_RESULT_BYTES = 512 * 1024
"""Longest result of a run. It must fit one bus message of 1 MiB in JSON."""

MAX_JOURNAL_LINE_BYTES = 1024 * 1024 - 16 * 1024
"""Longest journal line. It travels as one bus message, whose default limit is 1 MiB.

Source: https://docs.nats.io/running-a-nats-service/configuration (max_payload)
"""

MAX_HISTORY_MESSAGES = 40
"""How many earlier entries of a conversation a run is given."""

MAX_HISTORY_BYTES = 64 * 1024
"""How much text of earlier entries a run is given; the oldest are left out first."""

DUPLICATE_WINDOW = timedelta(minutes=15)
"""How long the bus remembers a message id. Slack repeats an event for five minutes."""

STREAM_MAX_AGE = timedelta(days=14)
"""How long the streams keep their record."""

STREAM_MAX_BYTES = 512 * 1024 * 1024
"""Size of each stream; the server reserves it on its disk. A full INBOX refuses, and drops nothing.

About 800,000 messages of the usual length within `STREAM_MAX_AGE`.
"""

DEAD_MAX_BYTES = 64 * 1024 * 1024
"""Size of the dead letters."""

FILES_MAX_BYTES = 512 * 1024 * 1024
"""Size of the files that wait to be read; the oldest go first."""

FILE_PART_BYTES = 256 * 1024
"""How much of a file one message of the bus holds; in base64 it fits an answer of 1 MiB."""

MAX_FILE_BYTES = 20 * 1024 * 1024
"""Longest file that is taken in or sent. Source: what a Telegram bot may download."""

MAX_FILES = 10
"""How many files one message or answer may have."""

MAX_NOTE_BYTES = 16 * 1024
"""Longest note that a channel may keep."""

DEFAULT_RUN_TIMEOUT = timedelta(minutes=10)
"""Deadline of a run whose Agent and spec name none."""

MAX_RUN_TIMEOUT = timedelta(hours=24)
"""Longest deadline a run may have."""

MAX_HISTORY_LIMIT = 100_000
"""Most finished runs that an Agent may keep of a kind."""

RUN_LINGERS = timedelta(minutes=10)
"""How long the Job and the pod of a finished run stay, for whoever reads their logs."""

MAX_QUEUED = timedelta(hours=1)
"""How long a run waits for its turn, for room or for a quota; no part of its deadline."""

MAX_ATTEMPTS = 5
"""Deliveries of one bus message before it is set aside as a dead letter."""

TOMBSTONE_AGE = timedelta(hours=25)
"""How long a message's row outlives its run at the least. Telegram repeats for 24 hours."""
