"""Parts that are not there yet, each answering so; removed when the last of them is."""

# mypy: ignore-errors
from sympozium_local.apiserver.errors import ApiError


def _missing(what: str) -> ApiError:
    return ApiError(501, "NotImplemented", f"{what} is not implemented yet")


try:
    from sympozium_local.apiserver import openapi
except ImportError:

    class openapi:  # noqa: N801, D101
        @staticmethod
        def index(_pairs):  # noqa: D102
            raise _missing("openapi")

        @staticmethod
        def document(*_):  # noqa: D102
            raise _missing("openapi")


try:
    from sympozium_local.apiserver import protobuf
except ImportError:

    class protobuf:  # noqa: N801, D101
        class ProtobufError(Exception):  # noqa: D106
            pass

        @staticmethod
        def decode(_body):  # noqa: D102
            raise ApiError(415, "UnsupportedMediaType", "protobuf is not implemented yet")


try:
    from sympozium_local.apiserver.serverside import ApplyConflictError, apply, track_update
except ImportError:

    class ApplyConflictError(Exception):  # noqa: D101
        pass

    def apply(*_args, **_named):  # noqa: D103
        raise _missing("server-side apply")

    def track_update(_old, new, **_named):  # noqa: D103
        return new


__all__ = ["ApplyConflictError", "apply", "openapi", "protobuf", "track_update"]
