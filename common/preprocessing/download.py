"""A large file from the web: resumed where it stopped, checked before it is used."""

import errno
import hashlib
import http.client
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from common.errors import UserError

IMDB_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
IMDB_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
GLOVE_URLS = ("https://nlp.stanford.edu/data/wordvecs/glove.840B.300d.zip",
              "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.840B.300d.zip")
GLOVE_SHA256 = "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f"
GLOVE_BYTES = 2_176_768_927


def download(url, path, sha256, option="--imdb", mirrors=()):
    """Fetch a file unless it is there already; a `.part` file beside it is continued.

    Args:
        url: http or https address.
        path: where the file goes; its folder is made if missing.
        sha256: hexadecimal digest of the right bytes. A file with another digest is kept under
            the name `PATH.wrong`.
        option: what a file that was fetched by hand is given with.
        mirrors: further addresses of the same bytes, tried in turn.

    Raises:
        UserError: no connection, connection lost, no space, or a wrong digest.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    wrong = path.with_name(f"{path.name}.wrong")
    failures = []
    for address in (url, *mirrors):
        try:
            if path.exists():
                if _sha256(path) == sha256:
                    return
                os.replace(path, wrong)
                print(f"{path}: wrong checksum, kept as {wrong}; fetching it again", file=sys.stderr)
            path.parent.mkdir(parents=True, exist_ok=True)
            _fetch(address, part)
            if _sha256(part) == sha256:
                os.replace(part, path)
                return
            os.replace(part, wrong)
            failures.append(f"{address}: wrong checksum (SHA-256 should be {sha256}); the bytes are kept as {wrong}; "
                            f"run again to start anew, or give a good copy with {option}")
        except (OSError, http.client.HTTPException) as error:
            room = "make room for it and " if getattr(error, "errno", None) == errno.ENOSPC else ""
            failures.append(f"{address}: download to {part} failed ({error}); {room}run again to resume it, or fetch "
                            f"that address by hand and give the file with {option}")
    raise UserError("; ".join(failures))


def download_glove(folder):
    """Fetch GloVe 840B into a folder, after saying what disk space it takes -> its path.

    Raises:
        UserError: as in `download`, or there is less space than that.
    """
    path = Path(folder) / "glove.840B.300d.zip"
    part = path.with_name(f"{path.name}.part")
    missing = 0 if path.exists() else GLOVE_BYTES - (part.stat().st_size if part.exists() else 0)
    free = shutil.disk_usage(folder).free
    print(f"fetching {GLOVE_URLS[0]}: {missing / 1e9:.1f} GB are to come, {free / 1e9:.1f} GB are free", flush=True)
    if free < missing:
        raise UserError(f"{path}: needs {missing / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free there; "
                        "make room, or choose another folder with --output")
    download(GLOVE_URLS[0], path, GLOVE_SHA256, "--glove", GLOVE_URLS[1:])
    return path


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
