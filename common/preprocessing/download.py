"""A large file from the web, checked before it is used."""

import errno
import hashlib
import http.client
import os
import shutil
import socket
import sys
from pathlib import Path

from common.errors import UserError

IMDB_URL = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
IMDB_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
GLOVE_URLS = ("https://nlp.stanford.edu/data/wordvecs/glove.840B.300d.zip",
              "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.840B.300d.zip")
GLOVE_SHA256 = "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f"
GLOVE_BYTES = 2_176_768_927


def download(url, path, sha256, option="--imdb", mirrors=()):
    """Fetch a file unless it is there already.

    Args:
        url: http or https address.
        path: where the file goes; its folder is made if missing.
        sha256: hexadecimal digest of the right bytes. A file in its place with another digest is kept
            under the name `PATH.wrong`.
        option: what a file that was fetched by hand is given with.
        mirrors: further addresses of the same bytes, tried in turn.

    Raises:
        UserError: no connection, connection lost, no space, or a wrong digest.
    """
    import torch.hub

    path, failures = Path(path), []
    socket.setdefaulttimeout(60)            # torch.hub would wait for ever
    for address in (url, *mirrors):
        try:
            if path.exists():
                if _sha256(path) == sha256:
                    return
                os.replace(path, f"{path}.wrong")
                print(f"{path}: wrong checksum, kept as {path}.wrong; fetching it again", file=sys.stderr)
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(address, str(path), sha256, progress=sys.stderr.isatty())
            return
        except (OSError, RuntimeError, http.client.HTTPException) as error:     # RuntimeError: a wrong digest
            room = "make room for it and " if getattr(error, "errno", None) == errno.ENOSPC else ""
            failures.append(f"{address}: could not be fetched to {path} ({error}); {room}run again, or fetch that "
                            f"address by hand and give the file with {option}")
    raise UserError("; ".join(failures))


def download_glove(folder):
    """Fetch GloVe 840B into a folder, after saying what disk space it takes -> its path.

    Raises:
        UserError: as in `download`, or there is less space than that.
    """
    path = Path(folder) / "glove.840B.300d.zip"
    missing = 0 if path.exists() else GLOVE_BYTES
    free = shutil.disk_usage(folder).free
    print(f"fetching {GLOVE_URLS[0]}: {missing / 1e9:.1f} GB are to come, {free / 1e9:.1f} GB are free", flush=True)
    if free < missing:
        raise UserError(f"{path}: needs {missing / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free there; "
                        "make room, or choose another folder with --output")
    download(GLOVE_URLS[0], path, GLOVE_SHA256, "--glove", GLOVE_URLS[1:])
    return path


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
