"""What the kubelet tells the sandbox to build: one container, fully decided."""

import msgspec


class Bind(msgspec.Struct, frozen=True):
    """A file or folder of the machine, shown inside the container."""

    source: str
    target: str
    is_writable: bool = False
    is_folder: bool = True
    """Of an image's part; of a volume it is found out when it is opened."""
    sub_path: str = ""
    """A path below *source*, which the container may have shaped: links in it are not followed."""


class Start(msgspec.Struct, frozen=True):
    """What the zygote itself must know of a container."""

    is_isolated: bool = False
    is_alone: bool = False


class ContainerPlan(msgspec.Struct, frozen=True):
    """Everything about one container that is decided before its process exists."""

    hostname: str
    argv: list[str]
    env: dict[str, str]
    module: str = ""
    """Python module whose ``main()`` runs in the forked process; empty: exec *argv*."""
    is_alone: bool = False
    """*module* runs in the first process: no command will be run beside it."""
    kubelet_uid: int = 0
    kubelet_gid: int = 0
    cwd: str = "/"
    uid: int = 65532
    gid: int = 65532
    host_uid: int = 0
    """Whom the container's user is on the machine; 0: the kubelet's own, no root, user."""
    image_binds: list[Bind] = []
    """Read-only parts of the root, from the image."""
    volume_binds: list[Bind] = []
    staging: str = ""
    """An empty folder of the machine over which the new root is put together."""
    tmp_size_bytes: int = 64 << 20
    is_isolated: bool = False
    """Own network namespace, with nothing but loopback and *listen_ports* in it."""
    listen_ports: list[int] = []
    cgroup_procs: list[str] = []
    """The ``cgroup.procs`` files that the container's first process joins."""
    memory_rlimit_bytes: int = 0
    """Limit of each process by rlimit where there is no cgroup; 0: none."""
    most_processes: int = 0
    """Limit by rlimit where there is no cgroup; 0: none."""


class Command(msgspec.Struct, frozen=True, tag_field="op"):
    """One word of the kubelet to the container's first process."""


class Go(Command, frozen=True, tag="go"):
    """Run the container's code, now that everything before it has started."""


class Signal(Command, frozen=True, tag="signal"):
    """Send *number* to the container's main process."""

    number: int


class Exec(Command, frozen=True, tag="exec"):
    """Run *argv* beside the main process; its output goes to the descriptor sent along."""

    id: int
    argv: list[str]


class Sockets(Command, frozen=True, tag="sockets"):
    """Hand out *count* fresh sockets that belong to the container's network."""

    count: int


class Report(msgspec.Struct, frozen=True, tag_field="event"):
    """One word of the container's first process to the kubelet."""


class Forked(Report, frozen=True, tag="forked"):
    """The first process is *pid* on the machine."""

    pid: int


class Built(Report, frozen=True, tag="built"):
    """A container that is alone waits for Go, and for its user to be mapped before."""


class Listening(Report, frozen=True, tag="listening"):
    """The sockets that listen in the container's network come along, in plan order.

    From a container that is alone, its network namespace comes after them.
    """


class Started(Report, frozen=True, tag="started"):
    """The container's own code is running."""


class Refused(Report, frozen=True, tag="refused"):
    """The container could not be built or its command not executed."""

    message: str


class Exited(Report, frozen=True, tag="exited"):
    """The main process ended; *code* is 128 + n when signal n ended it."""

    code: int


class ExecExited(Report, frozen=True, tag="exec-exited"):
    """The command *id* ended."""

    id: int
    code: int


class SocketsOut(Report, frozen=True, tag="sockets-out"):
    """The sockets asked for come along."""


AnyCommand = Go | Signal | Exec | Sockets
AnyReport = Forked | Built | Listening | Started | Refused | Exited | ExecExited | SocketsOut
