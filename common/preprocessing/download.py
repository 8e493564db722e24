"""A large file from the web: resumed where it stopped, checked before it is used."""

import errno
import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from common.errors import UserError

IMDB_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
IMDB_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"


def download(url, path, sha256):
    """Fetch a file unless it is there already; a `.part` file beside it is continued.

    Args:
        url: http or https address.
        path: where the file goes; its folder is made if missing.
        sha256: hexadecimal digest of the right bytes. A file with another digest is kept under
            the name `PATH.wrong`.

    Raises:
        UserError: no connection, connection lost, no space, or a wrong digest.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    wrong = path.with_name(f"{path.name}.wrong")
    try:
        if path.exists():
            if _sha256(path) == sha256:
                return
            os.replace(path, wrong)
            print(f"{path}: wrong checksum, kept as {wrong}; fetching it again", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, part)
        if _sha256(part) == sha256:
            os.replace(part, path)
            return
        os.replace(part, wrong)
    except (OSError, http.client.HTTPException) as error:
        room = "make room for it and " if getattr(error, "errno", None) == errno.ENOSPC else ""
        raise UserError(f"{url}: download to {part} failed ({error}); {room}run again to resume it, or fetch that "
                        "address by hand and give the file with --imdb") from error
    raise UserError(f"{url}: wrong checksum (SHA-256 should be {sha256}); the bytes are kept as "
                    f"{wrong}; run again to start anew, or give a good copy with --imdb")


def _fetch(url, part):
    """Append what is missing to `part`, or write it anew where the server cannot resume."""
    offset = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            return  # no byte is missing; the checksum tells whether they are the right ones
        raise
    with response:
        resumes = response.status == http.HTTPStatus.PARTIAL_CONTENT
        offset = offset if resumes else 0
        length = response.headers["Content-Length"]
        total = offset + int(length) if length else None
        with (open(part, "ab" if resumes else "wb") as file,
              tqdm(total=total, initial=offset, unit="B", unit_scale=True, desc=part.stem,
                   disable=None) as bar):
            while block := response.read(1 << 16):
                file.write(block)
                bar.update(len(block))
    size = part.stat().st_size
    if total and size < total:
        raise ConnectionError(f"the connection closed after {size:,} of {total:,} bytes")


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
