"""A large file from the web, checked when it has been fetched."""

import http.client
import socket
import sys

from common.errors import UserError

IMDB_URLS = ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",)
IMDB_SHA256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
GLOVE_URLS = ("https://nlp.stanford.edu/data/wordvecs/glove.840B.300d.zip",
              "https://huggingface.co/stanfordnlp/glove/resolve/main/glove.840B.300d.zip")
GLOVE_SHA256 = "c06db255e65095393609f19a4cfca20bf3a71e20cc53e892aafa490347e3849f"


def download(urls, path, sha256, option):
    """Fetch a file unless it is there already.

    Args:
        urls: http or https addresses of the same bytes, tried in turn.
        path: where the file goes; its folder is made if missing.
        sha256: hexadecimal digest of the right bytes.
        option: what a file that was fetched by hand is given with.

    Raises:
        UserError: no connection, connection lost, no space, or a wrong digest.
    """
    if path.exists():
        return
    import torch.hub            # only now: it takes a second

    print(f"fetching {urls[0]}", flush=True)
    failures = []
    socket.setdefaulttimeout(60)            # torch.hub would wait for ever
    for url in urls:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), sha256, progress=sys.stderr.isatty())
            return
        except (OSError, RuntimeError, http.client.HTTPException) as error:     # RuntimeError: a wrong digest
            failures.append(f"{url}: could not be fetched to {path} ({error})")
    raise UserError(f"{'; '.join(failures)}; run again, or fetch it by hand and give the file with {option}")
