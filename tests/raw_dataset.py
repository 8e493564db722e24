"""Small datasets in the published layout, as an archive and as a folder."""

import io
import tarfile

URLS = b"http://www.imdb.com/title/tt0000007/usercomments\n"
FILES = {
    "train/pos/0_9.txt": b"Great film.<br /><br />A great cast.",
    "train/pos/1_10.txt": b"",
    "train/neg/0_1.txt": b"A bad film, really bad film.",
    "train/unsup/0_0.txt": b"The film.",
    "train/urls_pos.txt": URLS * 2,
    "test/pos/0_8.txt": b"A superb film",
    "test/neg/0_2.txt": b"Bad.",
}


def write_archive(path, files, prefix="aclImdb/"):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_folder(path, files):
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}
