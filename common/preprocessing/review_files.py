"""The files of a dataset: in a folder, in a tar archive, compressed or not, or in a zip archive."""

import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

from common.errors import UserError


def dataset_files(path, wanted):
    """Yield the name of each file, with "/" between folders, and its bytes, which are None if it is not wanted.

    An archive is never unpacked. Of a folder that holds no dataset itself, those in it
    that do are read.

    Args:
        wanted: function from a name to whether the file is to be read.

    Raises:
        UserError: missing, unreadable or cut off.
    """
    files = _folder_files if path.is_dir() else _zip_files if zipfile.is_zipfile(path) else _tar_files
    try:
        yield from files(path, wanted)
    except (EOFError, LookupError, RuntimeError, ValueError, zlib.error, tarfile.TarError, zipfile.BadZipFile,
            gzip.BadGzipFile, lzma.LZMAError) as error:         # RuntimeError: a zip with a password, or of Deflate64
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path}: is not a whole .tar.gz, .tar or .zip archive that Python can unpack ({reason}); "
                        "fetch it again, or unpack it and give the folder") from error
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read ({error.strerror or error}); make it readable, or "
                        "fetch the reviews with --download") from error


def _folder_files(path, wanted):
    def refuse(error):
        raise error
    roots = [path] if (path / "train").exists() else [train.parent for train in path.glob("*/train")]
    for root in roots:
        for folder, _, files in os.walk(root, onerror=refuse, followlinks=True):
            for file in files:
                file = Path(folder, file)
                name = file.relative_to(path).as_posix()
                yield name, file.read_bytes() if wanted(name) else None


def _zip_files(path, wanted):
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename.replace("\\", "/")    # as Windows may have it
            if not entry.is_dir():
                yield name, archive.read(entry) if wanted(name) else None


def _tar_files(path, wanted):
    with tarfile.open(path) as archive:
        for member in archive:
            if not (member.isdir() or member.isdev()):
                yield member.name, archive.extractfile(member).read() if wanted(member.name) else None
        # tarfile takes a broken header or a missing one for the end, and gzip looks at its checksum there alone.
        archive.fileobj.seek(archive.offset + tarfile.BLOCKSIZE)        # where it is, but after links
        rest = archive.fileobj.read(1 << 20)
        if not rest or rest.strip(b"\0"):
            raise tarfile.ReadError("cut off or damaged")
