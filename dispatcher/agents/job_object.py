"""Job objects: what Windows has to hold a process together with all that comes from it, so that nothing gets away.

Not even the one who holds it can leave something behind: its processes end with the last handle to it.
"""

from __future__ import annotations

import ctypes
from ctypes import wintypes
from functools import cache
from pathlib import PureWindowsPath
from typing import Any

#: A DWORD; that of ctypes has another size elsewhere.
_Word = ctypes.c_uint32
#: The Windows API, as ctypes has it there.
_windows: Any = ctypes

# The numbers and structures of winnt.h.
_BASIC_PROCESS_ID_LIST = 3
_EXTENDED_LIMIT_INFORMATION = 9
_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
_ERROR_MORE_DATA = 234
_PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
#: The exit code of what is killed.
KILLED = 1
_MAX_PATH = 32_768


class JobObject:
    """A job object of its own, empty at first.

    :raises OSError: from every method, if Windows refuses.
    """

    def __init__(self) -> None:
        self._kernel32 = _kernel32()
        self._handle = self._kernel32.CreateJobObjectW(None, None)
        if not self._handle:
            raise _error()
        limits = _ExtendedLimits()
        limits.basic.limit_flags = _LIMIT_KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        try:
            self._check(
                self._kernel32.SetInformationJobObject(
                    self._handle, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size
                )
            )
        except OSError:
            self.close()
            raise

    def put(self, process: int) -> None:
        """Put the process with the handle *process* into it; from now on all that it starts is in it, too."""
        self._check(self._kernel32.AssignProcessToJobObject(self._handle, process))

    def pids(self) -> list[int]:
        """Return the processes in it that have not ended."""
        room = 64
        while True:
            found = _process_ids(room)
            if self._kernel32.QueryInformationJobObject(
                self._handle, _BASIC_PROCESS_ID_LIST, ctypes.byref(found), ctypes.sizeof(found), None
            ):
                return list(found.pids[: found.listed])
            error = _error()
            if getattr(error, "winerror", None) != _ERROR_MORE_DATA:
                raise error
            room = 2 * max(room, found.assigned)

    def terminate(self) -> None:
        """Kill all that is in it, at once. They are gone when ``pids`` says so."""
        self._check(self._kernel32.TerminateJobObject(self._handle, KILLED))

    def close(self) -> None:
        """Give it up: what is still in it is killed."""
        if self._handle:
            self._kernel32.CloseHandle(self._handle)
            self._handle = None

    def _check(self, succeeded: int) -> None:
        if not succeeded:
            raise _error()


def name_of(pid: int) -> str:
    """Return "pid name"; only the pid if the process is gone."""
    kernel32 = _kernel32()
    handle = kernel32.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION, False, pid)
    if not handle:
        return str(pid)
    try:
        path, length = ctypes.create_unicode_buffer(_MAX_PATH), _Word(_MAX_PATH)
        if not kernel32.QueryFullProcessImageNameW(handle, 0, path, ctypes.byref(length)):
            return str(pid)
        name = PureWindowsPath(path.value).name
        return f"{pid} {name.encode(errors='replace').decode()}"
    finally:
        kernel32.CloseHandle(handle)


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("per_process_user_time_limit", ctypes.c_int64),
        ("per_job_user_time_limit", ctypes.c_int64),
        ("limit_flags", _Word),
        ("minimum_working_set_size", ctypes.c_size_t),
        ("maximum_working_set_size", ctypes.c_size_t),
        ("active_process_limit", _Word),
        ("affinity", ctypes.c_size_t),
        ("priority_class", _Word),
        ("scheduling_class", _Word),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory_limit", ctypes.c_size_t),
        ("job_memory_limit", ctypes.c_size_t),
        ("peak_process_memory_used", ctypes.c_size_t),
        ("peak_job_memory_used", ctypes.c_size_t),
    )


def _process_ids(room: int) -> Any:
    """Return a JOBOBJECT_BASIC_PROCESS_ID_LIST with *room* for so many."""

    class ProcessIds(ctypes.Structure):
        _fields_ = (("assigned", _Word), ("listed", _Word), ("pids", ctypes.c_size_t * room))

    return ProcessIds()


def _error() -> OSError:
    error: OSError = _windows.WinError(_windows.get_last_error())
    return error


@cache
def _kernel32() -> Any:
    library = _windows.WinDLL("kernel32", use_last_error=True)
    handle, word = wintypes.HANDLE, _Word
    for name, result, *arguments in (
        ("CreateJobObjectW", handle, ctypes.c_void_p, wintypes.LPCWSTR),
        ("SetInformationJobObject", wintypes.BOOL, handle, ctypes.c_int, ctypes.c_void_p, word),
        ("AssignProcessToJobObject", wintypes.BOOL, handle, handle),
        ("QueryInformationJobObject", wintypes.BOOL, handle, ctypes.c_int, ctypes.c_void_p, word, ctypes.c_void_p),
        ("TerminateJobObject", wintypes.BOOL, handle, wintypes.UINT),
        ("OpenProcess", handle, word, wintypes.BOOL, word),
        ("QueryFullProcessImageNameW", wintypes.BOOL, handle, word, wintypes.LPWSTR, ctypes.POINTER(word)),
        ("CloseHandle", wintypes.BOOL, handle),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
