"""The pool's end of the socket: frames to workers by name, frames from them."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import zmq
import zmq.asyncio

from service.pool.frames import LARGEST_FRAME


class Wire:
    """A ROUTER socket on `path`; by default in a new folder that only this user can enter.

    Whoever can open the socket can pose as a worker, so its folder has to be closed to others.
    Raises OSError if the path is too long for a socket or cannot be bound.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="affidavit-")) if path is None else None
        path = path or Path(str(self._folder)) / "pool"
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_FRAME)
        self.address = f"ipc://{path}"
        if len(str(path).encode()) > zmq.IPC_PATH_MAX_LEN:
            self.close()
            rule = f"a socket's path has at most {zmq.IPC_PATH_MAX_LEN} bytes"
            raise OSError(f"{path} is too long: {rule}; set TMPDIR to a shorter folder")
        try:
            self._socket.bind(self.address)
        except zmq.ZMQError as error:
            self.close()
            raise OSError(error.errno, f"cannot listen on {path}: {error.strerror}") from error

    def send(self, name: str, frame: bytes) -> "asyncio.Future[object]":
        """Send to the worker of this name; the future fails if there is none."""
        return asyncio.ensure_future(self._socket.send_multipart([name.encode(), frame]))

    async def receive(self) -> tuple[str, bytes]:
        """The next frame and the name of the worker it is from."""
        name, frame = await self._socket.recv_multipart()
        return name.decode(errors="replace"), frame

    def close(self) -> None:
        """Close the socket and remove its folder, if it was made here."""
        self._context.destroy(linger=0)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
