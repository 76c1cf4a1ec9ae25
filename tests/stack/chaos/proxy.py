"""A TCP proxy that a test puts between two processes: it passes on, delays, holds back (half-open), or cuts."""

import contextlib
import selectors
import socket
import threading
import time


class Proxy:
    """Listens on loopback and passes everything on to a port there. Used as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self._delay_s = 0.0
        self._ended = False
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._open.set()
        self._listener.close()
        self._cut_all()

    def delay(self, seconds: float) -> None:
        """Every piece of data arrives this much later."""
        self._delay_s = seconds

    def hold(self) -> None:
        """Half-open: connections stay, new ones are accepted, and nothing passes in either direction."""
        self._open.clear()

    def cut(self) -> None:
        """Connections end at once, new ones are refused."""
        self._refusing = True
        self._cut_all()

    def heal(self) -> None:
        """All is well again; what was held back arrives now."""
        self._refusing = False
        self._delay_s = 0.0
        self._open.set()

    def _cut_all(self) -> None:
        with self._lock:
            ends = list(self._pairs)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs |= {near: far, far: near}
            threading.Thread(target=self._pass, args=(near, far), daemon=True).start()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            with contextlib.suppress(OSError):
                while not self._ended:
                    for key, _ in ready.select(0.2):
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        self._open.wait()
                        if not data:
                            raise OSError("one side has ended")
                        if self._delay_s:
                            time.sleep(self._delay_s)
                        key.data.sendall(data)
        with self._lock:
            self._pairs.pop(near, None)
            self._pairs.pop(far, None)
        near.close()
        far.close()
