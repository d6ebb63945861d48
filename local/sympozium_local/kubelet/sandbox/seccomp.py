"""System calls that no container needs, taken away: what `RuntimeDefault` means on this node.

A container has no capabilities, so most of these would fail in any case. But each of
them is a way into the kernel, and new namespaces would give a process capabilities
to try them with.
"""

import ctypes
import errno
import functools
import platform
import struct
from dataclasses import dataclass

from sympozium_local.kubelet.sandbox import syscalls

_ANYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442,
}  # fmt: skip
"""The same numbers on every architecture. Source: asm-generic/unistd.h."""

_X86_64 = {
    "ptrace": 101, "syslog": 103, "vhangup": 153, "pivot_root": 155, "adjtimex": 159,
    "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167,
    "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172,
    "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179,
    "clock_settime": 227, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
}  # fmt: skip
"""Source: asm/unistd_64.h of Linux 6.1, x86."""

_AARCH64 = {
    "umount2": 39, "mount": 40, "pivot_root": 41, "vhangup": 58, "quotactl": 60, "acct": 89,
    "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106,
    "clock_settime": 112, "syslog": 116, "ptrace": 117, "reboot": 142, "sethostname": 161,
    "setdomainname": 162, "settimeofday": 170, "adjtimex": 171, "add_key": 217,
    "request_key": 218, "keyctl": 219, "swapon": 224, "swapoff": 225, "move_pages": 239,
    "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265,
    "clock_adjtime": 266, "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271,
    "finit_module": 273, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
}  # fmt: skip
"""Source: asm-generic/unistd.h of Linux 6.1, which arm64 uses."""

_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. Source: linux/sched.h."""


@dataclass(frozen=True)
class _Machine:
    audit_arch: int
    denied: dict[str, int]
    clone: int
    prctl: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, _X86_64, 56, 157),
    "aarch64": _Machine(0xC00000B7, _AARCH64, 220, 167),
}
"""Source of the first numbers: AUDIT_ARCH_* in linux/audit.h."""

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_INSTRUCTION_BYTES = 8
_X32_NUMBERS = 0x40000000
"""Numbers from here on are another ABI of x86_64, whose numbers are not checked here."""
_ALLOW = 0x7FFF0000
_FAIL = 0x00050000
"""SECCOMP_RET_ERRNO; the error number is added."""
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_PR_SET_PDEATHSIG, _NOTHING = 1, 0
"""Source: linux/prctl.h, which has no operation 0."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def forbid_system_calls(*, may_outlive_parent: bool = True) -> None:
    """Take the calls away from this process and all that it starts, for good.

    With *may_outlive_parent* false, also the one that would undo `syscalls.die_with_parent`.
    Needs `no_new_privs`, which goes with dropped capabilities. A forbidden call fails
    with EPERM; `clone3` with ENOSYS, so that C libraries fall back to `clone`.

    Raises:
        OSError: The kernel has no filters.
    """
    program = prepared(may_outlive_parent=may_outlive_parent)
    syscalls.prctl("seccomp filter", _PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0)


@functools.cache
def prepared(*, may_outlive_parent: bool) -> object:
    """Return the filter of this machine. A parent of many processes may ask for it beforehand."""
    machine = _MACHINES[platform.machine()]
    code = b"".join(filter_for(machine, may_outlive_parent=may_outlive_parent))
    return ctypes.byref(_Program(len(code) // _INSTRUCTION_BYTES, code))


def filter_for(machine: _Machine, *, may_outlive_parent: bool) -> list[bytes]:
    """Return the filter's instructions for one kind of processor."""
    denied = sorted({*machine.denied.values(), *_ANYWHERE.values()})
    # After the numbers: clone3, prctl's four, clone's three, allow, EPERM, ENOSYS.
    body: list[tuple[int, int, str]] = [
        (_LOAD, _ARCH_AT, ""),
        (_IF_EQUAL, machine.audit_arch, "else denied"),
        (_LOAD, _NUMBER_AT, ""),
        (_IF_AT_LEAST, _X32_NUMBERS, "denied"),
        *((_IF_EQUAL, number, "denied") for number in denied),
        (_IF_EQUAL, _CLONE3, "absent"),
        (_IF_EQUAL, machine.prctl, "else no prctl"),
        (_LOAD, _FIRST_ARGUMENT_AT, ""),
        (_IF_EQUAL, _NOTHING if may_outlive_parent else _PR_SET_PDEATHSIG, "denied"),
        (_RETURN, _ALLOW, ""),
        (_IF_EQUAL, machine.clone, "else allowed"),
        (_LOAD, _FIRST_ARGUMENT_AT, ""),
        (_IF_ANY_BIT, _NEW_NAMESPACES, "denied"),
        (_RETURN, _ALLOW, ""),
        (_RETURN, _FAIL | errno.EPERM, ""),
        (_RETURN, _FAIL | errno.ENOSYS, ""),
    ]
    end = len(body)
    places = {"no prctl": end - 6, "allowed": end - 3, "denied": end - 2, "absent": end - 1}
    return [_instruction(at, *line, places) for at, line in enumerate(body)]


def _instruction(at: int, code: int, value: int, jump: str, places: dict[str, int]) -> bytes:
    """Encode one instruction; *jump* says where to go if its test holds, or ("else") fails."""
    target = jump.removeprefix("else ")
    distance = places[target] - at - 1 if jump else 0
    then, otherwise = (0, distance) if jump.startswith("else ") else (distance, 0)
    return struct.pack("HBBI", code, then, otherwise, value)
