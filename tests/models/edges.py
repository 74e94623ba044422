"""Memory that ends where the process may not go."""

import ctypes
import mmap

import numpy as np
import torch


class Edge:
    """So many values of this type that end at a page which may be neither read nor written."""

    def __init__(self, many: int, kind: type[np.generic]) -> None:
        page, size = mmap.PAGESIZE, many * np.dtype(kind).itemsize
        whole = -(-size // page) * page
        self._map = mmap.mmap(-1, whole + page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._guard = start + whole
        self.address = start + whole - size
        self.values = np.frombuffer(self._map, kind, many, whole - size)
        self.tensor = torch.from_numpy(self.values)

    def __enter__(self) -> "Edge":
        self._protect(0)
        return self

    def __exit__(self, *_: object) -> None:
        self._protect(mmap.PROT_READ | mmap.PROT_WRITE)

    def _protect(self, how: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        where, size = ctypes.c_void_p(self._guard), ctypes.c_size_t(mmap.PAGESIZE)
        assert libc.mprotect(where, size, how) == 0, ctypes.get_errno()
