"""The Linux calls a sandbox is made of, as functions that raise OSError."""

import array
import ctypes
import fcntl
import functools
import os
import platform
import select
import signal
import socket
import struct
from pathlib import Path

MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
"""The same numbers on every architecture. Source: asm-generic/unistd.h, Linux 5.12."""
_AT_FDCWD, _AT_RECURSIVE, _AT_EMPTY_PATH = -100, 0x8000, 0x1000
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_SYS_ADMIN = 21
_CAPABILITY_VERSION_3 = 0x20080522
_HUGE_PAGE_BYTES = 2 << 20
"""On both processors that we know, with pages of 4 KiB."""
_MADV_COLLAPSE = 25
"""Source: asm-generic/mman-common.h, Linux 6.1; older kernels refuse it."""
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

MAX_FDS = 250
"""Descriptors in one message. Source: SCM_MAX_FD is 253 in Linux."""
_INT_BYTES = 4

_SYS_CLONE = {"x86_64": 56, "aarch64": 220}

MACHINES = frozenset(_SYS_CLONE)
"""Processors for which all numbers here are known."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc_holding_gil = ctypes.PyDLL(None, use_errno=True)
for _name in ("capset", "mount", "pivot_root", "prctl", "setns", "syscall", "umount2", "unshare"):
    getattr(_libc, _name)  # is looked up now, or in every fork
_after_fork_in_child = ctypes.pythonapi.PyOS_AfterFork_Child


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


@functools.cache
def is_privileged() -> bool:
    """Say whether this process may make namespaces without a user namespace around them."""
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return os.geteuid() == 0 and bool(int(effective.split()[1], 16) >> _CAP_SYS_ADMIN & 1)


def fork_into(namespaces: int) -> int:
    """Fork as `os.fork` does, the child in new *namespaces*.

    A fork of a large process costs milliseconds; unshare would need two for a pid namespace.
    The child must not create threads: the C library was not told that it is a child.
    """
    number = _SYS_CLONE[platform.machine()]
    ctypes.pythonapi.PyOS_BeforeFork()
    flags = ctypes.c_ulong(namespaces | signal.SIGCHLD)
    pid: int = _libc_holding_gil.syscall(ctypes.c_long(number), flags, None, None, None, None)
    if pid == 0:
        _after_fork_in_child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    _check(pid, "clone")
    return pid


def prctl(what: str, operation: int, *arguments: object) -> None:
    """Change an attribute of this process; *what* is said of it if that is refused."""
    _check(_libc.prctl(operation, *arguments), what)


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    _check(_libc.unshare(flags), "unshare")


def collapse_heap() -> None:
    """Put this process' memory into huge pages as far as it goes; no more than a wish.

    A fork copies one entry for each of them instead of 512, and drops one at its end. What it
    writes to it still copies in small pages.
    """
    page = _HUGE_PAGE_BYTES
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, mode, _, _, inode, *name = line.split()
        if mode != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
            continue
        start, end = (int(address, 16) for address in span.split("-"))
        for address in range(-(-start // page) * page, end // page * page, page):
            _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(page), _MADV_COLLAPSE)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount *source* on *target*."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount {target}")


def clone_tree(source: str, *, is_writable: bool, dir_fd: int = _AT_FDCWD) -> int:
    """Return a descriptor of a copy of the mounts at *source*, attached nowhere yet.

    Nothing in it can be a device or set-user-id, and only *is_writable* ones can be written.
    An empty *source* with *dir_fd* means what that descriptor stands for.
    """
    flags = _OPEN_TREE_CLONE | _AT_RECURSIVE | _AT_EMPTY_PATH | os.O_CLOEXEC
    fd: int = _libc.syscall(
        ctypes.c_long(_SYS_OPEN_TREE), ctypes.c_int(dir_fd), source.encode(), ctypes.c_uint(flags)
    )
    _check(fd, f"open_tree {source}")
    denied = _ATTR_NOSUID | _ATTR_NODEV | (0 if is_writable else _ATTR_RDONLY)
    _set_attributes(fd, "", denied, _AT_RECURSIVE | _AT_EMPTY_PATH)
    return fd


def attach(tree: int, target: str) -> None:
    """Attach the mounts of *tree* on *target*, and close *tree*."""
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOVE_MOUNT),
        ctypes.c_int(tree),
        b"",
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )
    _check(result, f"mount {target}")
    os.close(tree)


def make_read_only(path: str) -> None:
    """Make the one mount at *path* read-only, not those below it."""
    _set_attributes(_AT_FDCWD, path, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV, 0)


def _set_attributes(dir_fd: int, path: str, wanted: int, flags: int) -> None:
    attributes = struct.pack("QQQQ", wanted, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(dir_fd),
        path.encode(),
        ctypes.c_uint(flags),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _check(result, f"mount_setattr {path}")


def enter_root(path: str) -> None:
    """Make *path* the root directory and let the old root go."""
    os.chdir(path)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", MNT_DETACH), "umount the old root")
    os.chdir("/")


def die_with_parent() -> None:
    """Have the kernel end this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "prctl pdeathsig")


def map_user(pid: int, uid: int, gid: int, host_uid: int) -> None:
    """Make *uid* and *gid* of the process' fresh user namespace be *host_uid* on the machine."""
    Path(f"/proc/{pid}/uid_map").write_text(f"{uid} {host_uid} 1")
    Path(f"/proc/{pid}/gid_map").write_text(f"{gid} {host_uid} 1")


def exit_code(status: int) -> int:
    """Return what `os.waitpid` found as a shell would: 128 + n where signal n ended it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def has_hung_up(sock: socket.socket) -> bool:
    """Say whether the other end of *sock* is closed."""
    poller = select.poll()
    poller.register(sock, 0)
    return bool(poller.poll(0))


def set_dumpable(dumpable: bool) -> None:
    """Say whether equals may look into this process and it owns its /proc entries."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl dumpable")


def drop_capabilities() -> None:
    """Give up every capability for good, over any exec, and any way to gain new ones."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, struct.pack("IIIIII", 0, 0, 0, 0, 0, 0)), "capset")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl no_new_privs")


def bring_up_loopback() -> None:
    """Bring up ``lo`` in this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def socket_in(network_fd: int) -> socket.socket:
    """Return a fresh TCP socket of the network namespace *network_fd*. Needs privileges."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(network_fd, CLONE_NEWNET), "setns")
        try:
            return socket.socket()
        finally:
            if _libc.setns(home, CLONE_NEWNET) < 0:
                os.abort()  # whatever this thread did next, it would do in there
    finally:
        os.close(home)


def receive(sock: socket.socket, max_bytes: int) -> tuple[bytes, list[int]]:
    """Return one message and the descriptors that came along, which no exec passes on."""
    room = socket.CMSG_SPACE(MAX_FDS * _INT_BYTES)
    data, ancillary, _, _ = sock.recvmsg(max_bytes, room, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % _INT_BYTES])
    return data, list(fds)
