"""Fetch the reviews (84 MB), unless PATH is there, and NLTK's Punkt data, unless they are installed, where there is an
internet, as compute nodes have none: python -m jobs.fetch PATH"""
from common.arguments import Parser, path
from common.errors import run_script
from common.preprocessing.download import IMDB_SHA256, IMDB_URLS, download
from common.preprocessing.tokenizer import load_punkt


def main():
    parser = Parser(__doc__)
    parser.add_argument("imdb", type=path, help="aclImdb_v1.tar.gz, or an unpacked aclImdb folder")
    download(IMDB_URLS, parser.parse_args().imdb, IMDB_SHA256, "--imdb")
    load_punkt()


if __name__ == "__main__":
    run_script(main)
