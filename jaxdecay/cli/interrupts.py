"""Ctrl-C, SIGTERM and SIGHUP during long work: the first asks to stop, the second stops at once.

A terminal that is closed sends SIGHUP.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Windows has no SIGHUP."""


class Interrupts:
    """Notes the first signal in `number`; a second ends the process, with exit code 128 + number.

    Python runs handlers in its main thread, and not while that waits for a device. So here a
    thread of its own reads the signals as the system delivers them.

    Args:
        asked: called at the first signal, in that thread.
        forced: called before the process ends.
    """

    def __init__(self, asked: Callable[[], None], forced: Callable[[], None]) -> None:
        self.number: int | None = None
        self._asked, self._forced = asked, forced

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno())
        self._handlers = {
            each: signal.signal(each, lambda *_: None)
            for each in SIGNALS
            if signal.getsignal(each) is not signal.SIG_IGN
        }
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._handlers.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()  # which ends the thread

    def _watch(self) -> None:
        with self._reader:
            while received := self._reader.recv(1):
                number = received[0]
                if number not in SIGNALS:
                    continue
                if self.number is None:
                    self.number = number
                    self._asked()
                else:
                    self._forced()
                    os._exit(128 + number)
