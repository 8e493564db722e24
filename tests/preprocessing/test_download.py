"""Downloading from a server on this machine."""

import contextlib
import errno
import hashlib
import http.server
import threading

import pytest

from common.errors import UserError
from common.preprocessing.download import download

CONTENT = bytes(range(256)) * 1_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, or the first bytes of it before it hangs up."""

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:self.server.cut_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.cut_after = 0, len(CONTENT)
        server.url = f"http://127.0.0.1:{server.server_port}/a.tar.gz"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_file_is_fetched_whole_into_a_new_folder(server, tmp_path):
    path = tmp_path / "new" / "a.tar.gz"
    download([server.url], path, SHA256, "--imdb")
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["a.tar.gz"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(CONTENT)
    download([server.url], path, SHA256, "--imdb")
    assert server.asked == 0


def test_a_lost_connection_and_a_wrong_file_leave_nothing(server, tmp_path):
    with pytest.raises(UserError, match="a.tar.gz: could not be fetched .*invalid hash value.*run again"):
        download([server.url], tmp_path / "a.tar.gz", "0" * 64, "--imdb")
    server.cut_after = 70_000
    with pytest.raises(UserError, match="a.tar.gz: could not be fetched"):
        download([server.url], tmp_path / "a.tar.gz", SHA256, "--imdb")
    assert not list(tmp_path.iterdir())


def test_without_a_connection_the_address_to_fetch_by_hand_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with contextlib.closing(http.server.HTTPServer(("127.0.0.1", 0), Handler).socket) as socket:
        port = socket.getsockname()[1]
    with pytest.raises(UserError, match=f"http://127.0.0.1:{port}/a.tar.gz.*by hand.*--imdb"):
        download([f"http://127.0.0.1:{port}/a.tar.gz"], tmp_path / "a.tar.gz", SHA256, "--imdb")


def test_a_full_disk_is_reported_with_what_to_do(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    with pytest.raises(UserError, match="No space left on device.; run again"):
        download(["http://127.0.0.1:1/a.zip"], tmp_path / "a.tar.gz", SHA256, "--imdb")


def test_a_mirror_is_asked_where_the_first_address_fails(server, tmp_path):
    download(["http://127.0.0.1:1/a.zip", server.url], tmp_path / "a.zip", SHA256, "--glove")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_where_all_addresses_fail_each_is_named_with_its_reason(server, tmp_path):
    with pytest.raises(UserError, match=f"127.0.0.1:1/a.zip: .*refused.*{server.url}: .*invalid hash.*--glove"):
        download(["http://127.0.0.1:1/a.zip", server.url], tmp_path / "a.zip", "0" * 64, "--glove")
