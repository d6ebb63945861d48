"""Parts that are not there yet, each answering so; removed when the last of them is."""

# mypy: ignore-errors
from sympozium_local.apiserver.errors import ApiError


def _missing(what: str) -> ApiError:
    return ApiError(501, "NotImplemented", f"{what} is not implemented yet")


try:
    from sympozium_local.apiserver.serverside import ApplyConflictError, apply, track_update
except ImportError:

    class ApplyConflictError(Exception):  # noqa: D101
        pass

    def apply(*_args, **_named):  # noqa: D103
        raise _missing("server-side apply")

    def track_update(_old, new, **_named):  # noqa: D103
        return new


__all__ = ["ApplyConflictError", "apply", "track_update"]
