"""Memory that was freed, kept for the next step."""

import ctypes
import platform

TRIM, MAPPED, ARENAS = -1, -3, -8
"""M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h."""
MOST = 2**30
"""Bytes: the largest tensor that is kept so, and as much free memory as is."""
LESS = 2**25
APART = 2**17
"""Bytes from which a tensor that lasts lies by itself; glibc's own, before it adapts it."""


def keep_freed() -> bool:
    """Let this process use memory again that it has freed, in place of handing it back to the
    system, which hands it out anew page by page, filled with zeros: every step allocates what the
    one before it freed. Threads that begin later share one store, for those of their own are in
    pieces of 64 MiB. Whether that could be asked for: only of glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # Older ones take no more than 32 MiB for the one.
    mapped = libc.mallopt(MAPPED, MOST) or libc.mallopt(MAPPED, LESS)
    return bool(libc.mallopt(TRIM, MOST) and libc.mallopt(ARENAS, 1) and mapped)


def set_apart() -> bool:
    """Let what is allocated from here on lie by itself, whose memory is handed back when it is
    freed: what is to last, and would leave holes between what is freed and taken again and again.
    Until `keep_freed`; whether that could be asked for."""
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).mallopt(MAPPED, APART))


def give_back() -> None:
    """Hand what is free now back to the system after all, so that what is taken from here on can
    be seen."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
