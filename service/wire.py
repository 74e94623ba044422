"""The pool's end of the socket: frames to workers by name, frames from them."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import zmq
import zmq.asyncio

from service.messages import LARGEST_FRAME


class Wire:
    """A ROUTER socket on a path in a folder that only this user can enter.

    Raises OSError if the folder for temporary files has a path too long for a socket.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="affidavit-"))
        path = self._folder / "pool"
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
        self._socket.bind(self.address)

    def send(self, name: str, frame: bytes) -> "asyncio.Future[object]":
        """Send to the worker of this name; the future fails if there is none."""
        return asyncio.ensure_future(self._socket.send_multipart([name.encode(), frame]))

    async def receive(self) -> tuple[str, bytes]:
        """The next frame and the name of the worker it is from."""
        name, frame = await self._socket.recv_multipart()
        return name.decode(errors="replace"), frame

    def close(self) -> None:
        """Close the socket and remove its folder."""
        self._context.destroy(linger=0)
        shutil.rmtree(self._folder, ignore_errors=True)
