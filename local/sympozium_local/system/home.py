"""The folder that holds everything one system keeps: objects, streams, conversations, logs."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sympozium_local.system.errors import AlreadyRunningError, StartError

MAX_SOCKET_PATH_BYTES = 107
"""Source: unix(7), sun_path."""


@dataclass(frozen=True)
class Home:
    """Where things are in one home."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held locked by the supervisor while it lives."""
        return self.path / "lock"

    @property
    def status(self) -> Path:
        """What the supervisor says about its programs."""
        return self.path / "status.json"

    @property
    def ports(self) -> Path:
        """Ports of the last start, taken again where they are free."""
        return self.path / "ports.json"

    @property
    def bus_access(self) -> Path:
        """Keys and passwords of the bus."""
        return self.path / "bus.json"

    @property
    def addons(self) -> Path:
        """Objects that the node applies when it starts."""
        return self.path / "addons.json"

    @property
    def apiserver(self) -> Path:
        """Data of the API server."""
        return self.path / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """How kubectl reaches the API server."""
        return self.apiserver / "admin.kubeconfig"

    @property
    def log_socket(self) -> Path:
        """Where the API server asks the kubelet for logs."""
        return self.apiserver / "kubelet.sock"

    @property
    def node(self) -> Path:
        """Data of the kubelet: pods' logs and volumes."""
        return self.path / "node"

    @property
    def node_ready(self) -> Path:
        """There when the node runs pods; it says which limits are not enforced, if any."""
        return self.path / "node.ready"

    @property
    def nats(self) -> Path:
        """Configuration and streams of the bus."""
        return self.path / "nats"

    @property
    def router(self) -> Path:
        """The session store, a volume of the router's pod."""
        return self.path / "router"

    @property
    def logs(self) -> Path:
        """One file a program."""
        return self.path / "logs"

    def prepare(self) -> None:
        """Make the folders, for this user alone.

        Raises:
            StartError: The place cannot be written, or its name is too long.
        """
        if len(os.fsencode(self.log_socket)) > MAX_SOCKET_PATH_BYTES:
            raise _unusable(self.path, "its name is too long for the sockets that lie in it")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for folder in (self.apiserver, self.node, self.nats, self.router, self.logs):
                folder.mkdir(exist_ok=True, mode=0o700)
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise _unusable(self.path, error.strerror or str(error)) from error


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """Return the home that the environment names: `SYMPOZIUM_HOME`, or the user's state folder.

    Raises:
        StartError: There is none, because the user has no home either.
    """
    environ = os.environ if environ is None else environ
    if named := environ.get("SYMPOZIUM_HOME"):
        return Home(Path(named).expanduser().absolute())
    if state := environ.get("XDG_STATE_HOME"):
        return Home(Path(state).absolute() / "sympozium")
    try:
        return Home(Path.home() / ".local" / "state" / "sympozium")
    except RuntimeError as error:
        raise _unusable(Path("~"), "this user has no home folder") from error


def _unusable(path: Path, cause: str) -> StartError:
    return StartError(
        f"cannot keep state in '{path}': {cause}; "
        "set SYMPOZIUM_HOME to another folder that you can write to"
    )


@contextmanager
def locked(home: Home, *, url: str) -> Iterator[None]:
    """Hold the home for this process; a second one is told where the first is.

    Raises:
        AlreadyRunningError: Another process holds it.
        StartError: It is not for this user to hold.
    """
    try:
        fd = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(home.path, error.strerror or str(error)) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_running(home) from None
        text = json.dumps({"pid": os.getpid(), "url": url})
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode(), 0)
        yield
    finally:
        os.close(fd)


def _already_running(home: Home) -> AlreadyRunningError:
    holder = read_holder(home)
    return AlreadyRunningError(
        f"cannot start in '{home.path}': Sympozium runs there already, at {holder['url']} "
        f"(process {holder['pid']}); use it, or stop it with `make down` or `sympozium down`",
        pid=int(holder["pid"]),
        url=str(holder["url"]),
    )


def read_holder(home: Home) -> dict[str, Any]:
    """Return pid and url of who holds the home; 0 and "" where that is not known."""
    return {"pid": 0, "url": "", **read_json(home.lock)}


def is_running(home: Home) -> bool:
    """Return whether a supervisor holds the home now."""
    try:
        fd = os.open(home.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def at_rest(home: Home) -> Iterator[bool]:
    """Yield whether no system runs in a home, and keep one from starting while the block lasts."""
    try:
        fd = os.open(home.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    except OSError:  # not for us to say
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(fd)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by this user alone."""
    fresh = path.with_name(f".{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    fresh.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a file's object; an absent or broken one is empty."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
