"""What a platform's bot account is made of, as far as it is asked for when a channel is added."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Token:
    """A credential of a bot account.

    Attributes:
        key: Its key in the Secret, and the environment variable that holds it.
        title: As the platform's pages call it.
        transports: Those that need it; empty: every one.
    """

    key: str
    title: str
    transports: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformInfo:
    """One platform; each channel package has it in `setup.PLATFORM`.

    Attributes:
        transports: How it brings messages; the first is the usual one.
    """

    name: str
    title: str
    tokens: tuple[Token, ...]
    transports: tuple[str, ...] = ("",)

    def tokens_for(self, transport: str) -> tuple[Token, ...]:
        """Return the tokens that a transport needs."""
        return tuple(
            token for token in self.tokens if not token.transports or transport in token.transports
        )
