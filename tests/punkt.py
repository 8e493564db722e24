"""A small punkt_tab, NLTK's sentence tokenizer."""


def install_punkt(folder):
    english = folder / "tokenizers" / "punkt_tab" / "english"
    english.mkdir(parents=True)
    for name, content in {"abbrev_types.txt": "mr\ndr", "sent_starters.txt": "the",
                          "collocations.tab": "a\tb", "ortho_context.tab": "great\t126"}.items():
        (english / name).write_text(content)
    for path in folder, *folder.rglob("*"):         # NLTK reads nothing that others could write
        path.chmod(0o755 if path.is_dir() else 0o644)
