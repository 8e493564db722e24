"""The files of a dataset: in a folder, in a tar archive, gzipped or not, or in a zip archive."""

import gzip
import os
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

from common.errors import UserError


def dataset_files(path, wanted):
    """Yield the name of each file, with "/" between folders, and its bytes, which are None if it is not wanted.

    An archive is read as a stream and never unpacked. Of a folder that holds no dataset itself, the
    one in it that does is taken.

    Args:
        wanted: function from a name to whether the file is to be read.

    Raises:
        UserError: missing, unreadable or cut off; several datasets in a folder; a wanted file that is a
            link or has a `..` path in an archive.
    """
    try:
        if path.is_dir():
            yield from _folder_files(path, wanted)
            return
        with open(path, "rb") as file:
            magic = file.peek(4)
            if magic.startswith(b"PK"):
                yield from _zip_files(file, wanted)
            elif magic.startswith(b"\x1f\x8b"):
                with gzip.open(file) as stream:
                    yield from _tar_files(path, stream, wanted)
            elif path.suffix.lower() in (".csv", ".parquet"):
                yield path.name, None
            else:
                yield from _tar_files(path, file, wanted)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such file; fetch the reviews with --download") from error
    except (EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: is not a whole .tar.gz, .tar or .zip archive ({error}); fetch it again, or "
                        "unpack it and give the folder") from error
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read ({error.strerror or error}); make it readable, or "
                        "fetch the reviews with --download") from error
    except RuntimeError as error:                                               # Deflate64, or a password
        raise UserError(f"{path}: Python cannot unpack it ({error}); unpack it and give the folder") from error


def _folder_files(path, wanted):
    roots = [path] if _has_splits(path) else [folder for folder in sorted(path.iterdir()) if _has_splits(folder)]
    if len(roots) > 1:
        raise UserError(f"{path}: holds several datasets ({', '.join(root.name for root in roots)}); give one of them")
    for root in roots:
        for file in _walk(root, depth=4):
            name = file.relative_to(root).as_posix()
            yield name, file.read_bytes() if wanted(name) else None


def _has_splits(folder):
    return os.path.isdir(folder / "train") or os.path.isdir(folder / "test")


def _walk(folder, depth):
    """Yield the files of a folder and of those in it, hidden ones left out but for those that a Mac has put away."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") or entry.name.endswith(".icloud"):
                if not entry.is_dir():
                    yield Path(entry.path)
                elif depth:
                    yield from _walk(entry.path, depth - 1)


class _Member(tarfile.TarInfo):
    """A broken header is an error, and not an end of the archive as tarfile has it; only zeros are that."""

    @classmethod
    def frombuf(cls, *arguments):
        try:
            return super().frombuf(*arguments)
        except tarfile.EOFHeaderError:         # type: ignore[attr-defined]  # not documented
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _tar_files(path, stream, wanted):
    linked = {}
    # Archives may stand one behind the other (`cat a.tar.gz b.tar.gz`), with zeros between them. The stream is read to
    # its end, where gzip notices what is missing.
    while block := stream.peek(512):
        if zeros := len(block) - len(block.lstrip(b"\0")):
            stream.read(zeros)
            continue
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_Member) as archive:
            for member in archive:
                archive.members.clear()         # type: ignore[attr-defined]  # tarfile keeps all of them
                name, content = member.name.removeprefix("./"), None
                if wanted(name):
                    # tar writes a file that shares its bytes with an earlier one as a link to it.
                    content = linked.get(member.linkname) if member.islnk() else (
                        archive.extractfile(member).read() if member.isreg() else None)
                    if content is None or ".." in name.split("/"):
                        raise UserError(f"{path}: member {name} is not a plain file inside the archive; "
                                        "fetch the official aclImdb_v1.tar.gz")
                    linked[member.name] = content
                if not member.isdir():
                    yield name, content


def _zip_files(file, wanted):
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            name = entry.filename.replace("\\", "/")
            if wanted(name) and stat.S_ISLNK(entry.external_attr >> 16):
                raise UserError(f"{file.name}: member {name} is a link and no text; pack the files themselves")
            if not entry.is_dir():
                yield name, archive.read(entry) if wanted(name) else None
