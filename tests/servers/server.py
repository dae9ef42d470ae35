"""What all servers in the tests have in common: they are started, ended, frozen and started
again, each by its own process id.
"""

from __future__ import annotations

from typing import Self

from .process import Child


class Server:
    """One child process that serves. Subclasses make `_child` and say how it is started."""

    grace = 5.0
    """Seconds that an orderly end may take."""

    _child: Child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    def start(self) -> Self:
        """Starts it and waits until it serves."""
        raise NotImplementedError

    def stop(self) -> None:
        """An orderly end, by SIGTERM: connections end, the port is closed."""
        self._child.stop(grace=self.grace)

    def kill(self) -> None:
        """kill -9: the ports are closed at once, what was on its way is cut off."""
        self._child.kill()

    def pause(self) -> None:
        """It hangs: connections stay open, new ones are still accepted by the kernel, nothing
        answers.
        """
        self._child.pause()

    def resume(self) -> None:
        self._child.resume()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()
