"""A seccomp filter for a process that runs a stranger's code: a list of kernel calls that fail with EPERM.

Landlock holds what is opened by path; the filter holds what Landlock leaves open: sockets, signals, other processes'
memory, owners, modes and times of files that may be read, programs, namespaces, shared memory that has no path.
Written for ``prctl(PR_SET_SECCOMP)``, see seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

import ctypes
import errno
import platform
from collections.abc import Sequence
from pathlib import Path

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the table, audit architecture
_X32 = 0x40000000
_NEWEST_KNOWN = 462  # later calls came after this list was made: they do not exist for the process
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN, _SHIFT, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x74, 0x54
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER, _GET_ACTION_AVAIL = 22, 38, 2, 2

# Name: number on x86_64, number on aarch64; None where there is no such call.
_DENIED: dict[str, tuple[int | None, int | None]] = {
    # network, and other processes through sockets
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "kcmp": (312, 272), "tkill": (200, 130),
    "perf_event_open": (298, 241), "migrate_pages": (256, 238), "move_pages": (279, 239), "setpriority": (141, 140),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "setsid": (112, 157), "setpgid": (109, 154),  # it stays in the group of processes that is ended with it
    # programs
    "execve": (59, 221), "execveat": (322, 281), "uselib": (134, None), "personality": (135, 92),
    # memory and messages that have no path
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_notify": (244, 184),
    "memfd_create": (319, 279), "memfd_secret": (447, 447),  # neither resident memory nor the scratch folder shows them
    # files that may be read keep their modes, owners, times and attributes
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "mknod": (133, None), "mknodat": (259, 33),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    # the machine
    "mount": (165, 40), "umount2": (166, 39), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "userfaultfd": (323, 282), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "syslog": (103, 116),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "clock_adjtime": (305, 266), "adjtimex": (159, 171), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "vhangup": (153, 58), "nfsservctl": (180, 42),
}  # fmt: skip
# Calls that a process needs for itself, by their first argument: its own number or zero.
_ON_ITSELF = {"kill": (62, 129), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)}
_ON_ITSELF_OR_ZERO = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}
_CLONE, _CLONE3, _FCNTL, _IOCTL, _PRCTL = (56, 220), (435, 435), (72, 25), (16, 29), (157, 167)
_CLONE_FORBIDDEN = 0x7E020000 | 0x8000  # every new namespace, and children that are given to the parent
_FCNTL_FORBIDDEN = (8, 10, 15, 1024, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: signals; F_SETLEASE, F_NOTIFY
# PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER: it ends with its parent, and nothing of it leaves the tree that is watched;
# PR_SET_DUMPABLE: what it holds can be looked at from outside.
_PRCTL_FORBIDDEN = (1, 4, 36)
_IOCTL_ALLOWED = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)  # terminal?, size, bytes, blocking, exec
_IOCTL_KINDS_FORBIDDEN = (0x12, 0x54, 0x58, 0x66, 0x89, 0x94)  # block devices, terminals, file attributes, sockets

_Instruction = tuple[int, int, int, int]  # operation, jump if true, jump if false, operand


class _Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter))]


def missing() -> str | None:
    """What keeps this machine from filtering kernel calls; None if nothing does."""
    if platform.machine() not in _ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return f"its calls are not known for the architecture {platform.machine() or 'of this machine'}"
    action = ctypes.c_uint32(_ERRNO)
    number = (317, 277)[_ARCHITECTURES[platform.machine()][0]]
    if ctypes.CDLL(None).syscall(number, _GET_ACTION_AVAIL, 0, ctypes.byref(action)) != 0:
        return "the kernel offers no seccomp filters"
    return None


def no_new_privileges() -> None:
    """Give up, for this process and its children, what setuid programs would add; filters need it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def install(own_pid: int, *, devices: bool) -> None:
    """Filter the calls of this thread and of all that it starts; there is no way back.

    Parameters
    ----------
    own_pid : int
        The process that may signal itself.
    devices : bool
        Allow ioctls of device drivers, which GPUs are driven by.

    Raises
    ------
    OSError
        The kernel refuses the filter.
    """
    lines = _program(*_ARCHITECTURES[platform.machine()], own_pid, devices)
    program = _Program(len(lines), (_Filter * len(lines))(*(_Filter(*line) for line in lines)))
    _prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))


def _prctl(*values: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in values]
    if libc.prctl(*padded, *[ctypes.c_ulong(0)] * (5 - len(padded))) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _program(column: int, architecture: int, own_pid: int, devices: bool) -> list[_Instruction]:
    refuse, unknown = _returns(_ERRNO | errno.EPERM), _returns(_ERRNO | errno.ENOSYS)
    lines = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), _returns(_KILL), (_LOAD, 0, 0, 0)]
    lines += [(_AT_LEAST, 0, 1, _X32), refuse, (_AT_LEAST, 0, 1, _NEWEST_KNOWN + 1), unknown]
    # Its flags lie in memory, where a filter cannot see them; the C library then uses clone.
    lines += [(_EQUAL, 0, 1, _CLONE3[column]), unknown]
    for numbers in _DENIED.values():
        if (number := numbers[column]) is not None:
            lines += [(_EQUAL, 0, 1, number), refuse]
    for calls, others in ((_ON_ITSELF, ()), (_ON_ITSELF_OR_ZERO, (0,))):
        for numbers in calls.values():
            lines += _call(numbers[column], [_argument(0), *_one_of((own_pid, *others))])
    lines += _call(_CLONE[column], [_argument(0), (_ANY_BIT, 0, 1, _CLONE_FORBIDDEN), refuse, _returns(_ALLOW)])
    lines += _call(_FCNTL[column], [_argument(1), *_none_of(_FCNTL_FORBIDDEN)])
    lines += _call(_PRCTL[column], [_argument(0), *_none_of(_PRCTL_FORBIDDEN)])
    kind = [(_SHIFT, 0, 0, 8), (_AND, 0, 0, 0xFF)]
    ioctl = [*kind, *_none_of(_IOCTL_KINDS_FORBIDDEN)] if devices else [refuse]
    lines += _call(_IOCTL[column], [_argument(1), *_unless(_IOCTL_ALLOWED, _returns(_ALLOW)), *ioctl])
    return [*lines, _returns(_ALLOW)]


def _returns(value: int) -> _Instruction:
    return (_RETURN, 0, 0, value)


def _argument(index: int) -> _Instruction:
    """The lower half of an argument: all that the kernel looks at in process numbers and commands."""
    return (_LOAD, 0, 0, 16 + 8 * index)


def _call(number: int, body: list[_Instruction]) -> list[_Instruction]:
    return [(_EQUAL, 0, len(body), number), *body]


def _unless(values: Sequence[int], answer: _Instruction) -> list[_Instruction]:
    return [line for value in values for line in ((_EQUAL, 0, 1, value), answer)]


def _one_of(values: Sequence[int]) -> list[_Instruction]:
    return [*_unless(values, _returns(_ALLOW)), _returns(_ERRNO | errno.EPERM)]


def _none_of(values: Sequence[int]) -> list[_Instruction]:
    return [*_unless(values, _returns(_ERRNO | errno.EPERM)), _returns(_ALLOW)]


def threads() -> int:
    """Threads of this process: a filter holds the thread that installs it, not those that run already."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())
