"""Files that a reader sees whole or not at all."""

import contextlib
import os
import tempfile
from pathlib import Path

from common.errors import UserError


def check_folder(folder):
    """Refuse a folder that cannot be written before hours of work for it."""
    with replace_file(folder / ".writable"):
        pass
    (folder / ".writable").unlink()


@contextlib.contextmanager
def replace_file(path, mode="w"):
    """Open a temporary file beside `path` for writing; rename it to `path` on success.

    The bytes are flushed to disk before the rename. If the block raises, or the disk is
    full, the old file stays as it was and the temporary file is removed.

    Args:
        path: file to write; its folder is made if missing.
        mode: "w" for UTF-8 text with "\\n" line ends, "wb" for bytes.

    Raises:
        UserError: the file cannot be written (full disk, read-only folder, a folder in its place).
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with open(descriptor, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; give them what the user's umask allows.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); "
                        "free some space or choose another folder with --output") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
