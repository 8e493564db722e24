"""Files that a reader sees whole or not at all."""

import contextlib
import errno
import os
import secrets
import socket
import sys
import tempfile
import zlib
from pathlib import Path

import filelock

from common.errors import UserError


def check_folder(folder):
    """Refuse a folder that cannot be written, before hours of work are spent on what belongs there."""
    with replace_file(folder / ".writable", durable=False):
        pass
    (folder / ".writable").unlink(missing_ok=True)      # another script may look at the same time


def find_temporary_folder(folder):
    """Let torch and matplotlib keep their caches in a folder, where no temporary one is, as in a container."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.tempdir = str(folder)


@contextlib.contextmanager
def claim_folder(folder):
    """Keep other runs from writing to a folder; refuse at once one that cannot be written.

    The claim is a lock on the file `.lock`, which the system takes back when the process dies, however it dies. The
    file itself stays: removing it could take it from a run that has just opened it.

    Raises:
        UserError: another process has claimed the folder, or it cannot be written.
    """
    path = Path(folder) / ".lock"
    check_folder(path.parent)
    holder = ""
    with contextlib.suppress(OSError):                  # Windows lets nobody else read a locked file
        holder = path.read_text(errors="replace")
    # A lock that only stands in a file would outlive a killed process.
    lock = filelock.FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise UserError(f"{folder}: {holder or 'another process'} is writing to this folder; wait until it is done, "
                        "or choose another one with --output") from None
    except (PermissionError, IsADirectoryError) as error:
        raise _cannot_write(path, error) from error
    except (OSError, NotImplementedError) as error:     # of filelock, where a file system or platform has no locks
        print(f"{folder}: no locks on this file system ({getattr(error, 'strerror', error)}), so another run in this "
              "folder would go unnoticed", file=sys.stderr)
    with contextlib.suppress(OSError):
        path.chmod(path.parent.stat().st_mode & 0o666)  # who may write to the folder may claim it, whatever my umask
    with contextlib.suppress(OSError):
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}")
    try:
        yield
    finally:
        lock.release()


def remove_unfinished(path):
    """Remove what a killed run had written of `path`; for those who have claimed its folder."""
    for temporary in path.parent.glob(f".{path.name}.*"):
        temporary.unlink()


@contextlib.contextmanager
def replace_file(path, mode="w", durable=True):
    """Open a temporary file beside `path` for writing; rename it to `path` on success.

    The bytes are flushed to disk before the rename. If the block raises, or the disk is
    full, the old file stays as it was and the temporary file is removed.

    Args:
        path: file to write; its folder is made if missing.
        mode: "w" for UTF-8 text with "\\n" line ends, "wb" for bytes.
        durable: False does not wait for the disk: for what can be made again if the machine goes down.

    Raises:
        UserError: the file cannot be written (full disk, read-only folder, a folder in its place).
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "\n")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, mode.replace("w", "x"), encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            if durable:
                _wait_for_disk(file)
        os.replace(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):      # it is gone where it was renamed
            os.unlink(temporary)


def _wait_for_disk(file):
    """fsync, unless the file system has none (as over CIFS or FUSE)."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC, errno.EDQUOT):
            raise


def _cannot_write(path, error):
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return UserError(f"{path.parent}: is not a folder; choose another one with --output")
    kept = "the file of before is kept; " if os.path.isfile(path) else ""       # Path's fails for a long name
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {kept}"
                     "free some space or choose another folder with --output")


def file_checksum(path):
    """CRC-32 of a file's bytes."""
    crc = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc
