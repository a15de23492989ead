"""One writer per study: a lock that dies with its process, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from nahas.errors import StudyError


def writer_of(study: Path) -> int | None:
    """The process that writes a study now; None where none does, 0 where it does not say which.

    Asks by a shared lock, given back at once: a lock's file alone, left behind, is not a lock.
    """
    try:
        descriptor = os.open(_lock_path(study), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            return None
        said = os.pread(descriptor, 32, 0).strip()
        return int(said) if said.isdigit() else 0
    else:
        return None
    finally:
        os.close(descriptor)


def _lock_path(study: Path) -> Path:
    return study.with_name(study.name + ".lock")


class WriterLock:
    """Holds `<study>.lock` while a process writes a study, with its process id inside.

    The kernel drops a `flock` when the process ends, by kill -9 too, so a lock is never left
    behind; a file left behind is not a lock. It stands beside the study, not on it, because
    SQLite locks the study itself and closing a second descriptor would drop SQLite's locks.

    Raises:
        StudyError: when another process holds it, or the folder cannot be written.
    """

    def __init__(self, study: Path) -> None:
        self.path = _lock_path(study)
        self._descriptor = self._take(study)

    def release(self) -> None:
        """Give the lock up; doing so twice is harmless."""
        if self._descriptor >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, study: Path) -> int:
        while True:
            try:
                study.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise _not_writable(study, error) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                os.close(descriptor)
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise StudyError(
                        f"study {study} cannot be locked, as its file system says "
                        f"'{error.strerror}': name a study on a local disk"
                    ) from error
                raise StudyError(
                    f"study {study} is being written by process {holder or 'unknown'}: "
                    "wait for it to end, or name another study"
                ) from error
            if self._is_current(descriptor):
                self._sign(descriptor, study)
                return descriptor
            os.close(descriptor)

    def _sign(self, descriptor: int, study: Path) -> None:
        """Write the process id into the lock."""
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.path.unlink(missing_ok=True)
            os.close(descriptor)
            raise _not_writable(study, error) from error

    def _is_current(self, descriptor: int) -> bool:
        """Whether the locked file is still the one of that name: its last holder removes it."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False


def _not_writable(study: Path, error: OSError) -> StudyError:
    return StudyError(
        f"study {study} cannot be written, as its folder says '{error.strerror}': "
        "nothing was searched; name a study in a folder that you may write"
    )
