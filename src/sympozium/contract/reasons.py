"""Why a run ended without an answer, or a message without a run."""

from enum import StrEnum


class Reason(StrEnum):
    """A stable word for programs; the sentence for people is the router's."""

    DEADLINE_EXCEEDED = "DeadlineExceeded"
    CANCELLED = "Cancelled"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    IMAGE_PULL = "ImagePull"
    NO_CAPACITY = "NoCapacity"
    QUOTA = "Quota"
    DENIED_BY_POLICY = "DeniedByPolicy"
    AGENT_CRASHED = "AgentCrashed"
    AGENT_NOT_FOUND = "AgentNotFound"
    CONFIGURATION = "Configuration"
    """A secret, a key or a setting that the run needs is missing or wrong."""
    CONTEXT_UNAVAILABLE = "ContextUnavailable"
    MODEL_TIMEOUT = "ModelTimeout"
    MODEL_UNREACHABLE = "ModelUnreachable"
    MODEL_REFUSED = "ModelRefused"
    """The endpoint said no: key, model name or request (400, 401, 403, 404)."""
    MODEL_OVERLOADED = "ModelOverloaded"
    """429, or 5xx after retries."""
    MODEL_BAD_ANSWER = "ModelBadAnswer"
    """A truncated stream, no JSON, or an empty answer."""
    TOO_MANY_STEPS = "TooManySteps"
    RESULT_TOO_LARGE = "ResultTooLarge"
    ACCESS_DENIED = "AccessDenied"
    MESSAGE_UNREADABLE = "MessageUnreadable"
    INTERNAL = "Internal"
