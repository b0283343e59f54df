"""Memory: large pieces go back to the system when they are free, and threads share what is."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

SCRIPT = """
import ctypes, sys, threading
from dispatcher import memory

if sys.argv[2] == "True":
    memory.give_back()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
for _ in range(2):
    libc.free(libc.malloc(16 << 20))
kept = libc.malloc(16 << 20)
thread = threading.Thread(target=libc.malloc, args=[100_000])
thread.start()
thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def arenas_and_large_pieces(file: Path, *, give_back: bool) -> tuple[int, int]:
    subprocess.run([sys.executable, "-c", SCRIPT, str(file), str(give_back)], check=True, timeout=60)
    found = ElementTree.fromstring(file.read_text())
    large = found.find("total[@type='mmap']")
    assert large is not None
    return len(found.findall("heap")), int(large.get("size", 0)) >> 20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that is told")
def test_threads_share_an_arena_and_large_pieces_stay_out_of_it(tmp_path: Path) -> None:
    assert arenas_and_large_pieces(tmp_path / "told", give_back=True) == (1, 16)
    assert arenas_and_large_pieces(tmp_path / "by itself", give_back=False) != (1, 16)
