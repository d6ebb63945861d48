"""The container's file system: what it may see of the machine, and nothing else.

Runs in a mount namespace of its own, so nothing done here is seen outside. Folders that a
container may write (volumes) are looked up only in ways that follow no symbolic link out:
their sources are opened before the root changes, their mount points after it.
"""

import os
import stat
from pathlib import Path

from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.plan import Bind, ContainerPlan

_DEVICES = ("null", "zero", "full", "random", "urandom")
_MACHINE_WIDE = ("proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus")
"""Parts of /proc that are the machine's, not the container's."""
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108 - paths inside the container, private to it
_SAFE = syscalls.MS_NOSUID | syscalls.MS_NODEV


def build_root(plan: ContainerPlan) -> None:
    """Put the new root together over ``plan.staging`` and make it the root of this process.

    Raises:
        OSError: a mount was refused; the message names it.
    """
    root = plan.staging
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs", _SAFE, f"mode=755,size={1 << 20}")
    for folder in ("dev", "proc", "tmp", "run", "var/tmp"):
        os.makedirs(f"{root}/{folder}")
    _mount_system(root, plan.tmp_size_bytes)
    for bind in plan.image_binds:  # after the system's mounts: an image may be below /tmp
        _make_target(root + bind.target, is_folder=bind.is_folder)
        syscalls.attach(syscalls.clone_tree(bind.source, is_writable=False), root + bind.target)
    _write_etc(plan, root + "/etc")
    volumes = [(bind.target, *_open_volume(bind, plan.host_uid)) for bind in plan.volume_binds]
    syscalls.enter_root(root)
    for target, tree, is_folder in sorted(volumes):
        _make_target(target, is_folder=is_folder)
        syscalls.attach(tree, target)
    syscalls.make_read_only("/")


def _mount_system(root: str, tmp_size_bytes: int) -> None:
    syscalls.mount("proc", f"{root}/proc", "proc", _SAFE | syscalls.MS_NOEXEC)
    for name in _MACHINE_WIDE:
        if os.path.exists(f"{root}/{name}"):
            syscalls.attach(
                syscalls.clone_tree(f"{root}/{name}", is_writable=False), f"{root}/{name}"
            )
    private = f"mode=1777,size={tmp_size_bytes}"
    syscalls.mount("tmpfs", root + _TMP, "tmpfs", _SAFE, private)
    syscalls.mount("tmpfs", f"{root}/dev", "tmpfs", syscalls.MS_NOSUID, f"mode=755,size={1 << 16}")
    for name in _DEVICES:
        _make_target(f"{root}/dev/{name}", is_folder=False)
        syscalls.mount(f"/dev/{name}", f"{root}/dev/{name}", flags=syscalls.MS_BIND)
    _make_target(root + _SHM, is_folder=True)
    syscalls.mount("tmpfs", root + _SHM, "tmpfs", _SAFE, private)
    os.symlink("/proc/self/fd", f"{root}/dev/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")


def _open_volume(bind: Bind, host_uid: int) -> tuple[int, bool]:
    """Return the mounts of a volume, or of a path inside it, and whether that is a folder."""
    fd = os.open(bind.source, os.O_PATH | os.O_CLOEXEC)
    for part in Path(bind.sub_path).parts if bind.sub_path else ():
        if part in {"..", "/"}:
            raise PermissionError(f"subPath {bind.sub_path!r} leaves its volume")
        try:
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            os.mkdir(part, 0o755, dir_fd=fd)
            if host_uid:
                os.chown(part, host_uid, host_uid, dir_fd=fd, follow_symlinks=False)
            inner = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        os.close(fd)
        fd = inner
    mode = os.stat(fd).st_mode
    if stat.S_ISLNK(mode):
        raise PermissionError(f"subPath {bind.sub_path!r} is a link")
    tree = syscalls.clone_tree("", is_writable=bind.is_writable, dir_fd=fd)
    os.close(fd)
    return tree, stat.S_ISDIR(mode)


def _make_target(target: str, *, is_folder: bool) -> None:
    folder = target if is_folder else os.path.dirname(target)
    try:
        os.mkdir(folder)
    except OSError:  # it is there, or not even its parent
        os.makedirs(folder, exist_ok=True)
    if not is_folder and not os.path.exists(target):
        _write(target, "")


def _write_etc(plan: ContainerPlan, etc: str) -> None:
    """Write the account and host files: who the container is, and no one else of the machine."""
    os.makedirs(etc, exist_ok=True)
    passwd = ["root:x:0:0:root:/:/bin/sh", "nobody:x:65534:65534:nobody:/:/bin/false"]
    group = ["root:x:0:", "nogroup:x:65534:"]
    if plan.uid:
        passwd.insert(1, f"sympozium:x:{plan.uid}:{plan.gid}::/tmp:/bin/sh")
    if plan.gid:
        group.insert(1, f"sympozium:x:{plan.gid}:")
    _write(f"{etc}/passwd", "\n".join(passwd) + "\n")
    _write(f"{etc}/group", "\n".join(group) + "\n")
    _write(f"{etc}/hostname", plan.hostname + "\n")
    hosts = f"127.0.0.1 localhost {plan.hostname} kubernetes.default.svc kubernetes.default\n"
    _write(f"{etc}/hosts", hosts)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    os.write(fd, text.encode())
    os.close(fd)
