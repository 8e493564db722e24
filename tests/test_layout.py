"""common/ is built in layers: its arrows go one way, and no class or file in it grows too long."""

import ast

import pytest
from parts import ROOT

FILES = sorted((ROOT / "common").rglob("*.py"))
# What the files of each folder may import; files that lie in common/ itself are of folder "".
ARROWS = {"": {""}, "data": {"", "data"}, "layers": {"", "data", "layers"}, "results": {"", "results"},
          "preprocessing": {"", "data", "preprocessing"},
          "training": {"", "data", "layers", "results", "training"},
          "testing": {"", "data", "layers", "results", "preprocessing", "testing"}}


def folder_of(module):
    """The folder of common.FOLDER.FILE, and "" of common.FILE."""
    return module.split(".")[1] if module.count(".") == 2 else ""


def imports(path):
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: names the modules of common/ in full"
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_go_one_way(path):
    own = folder_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert not [module for module in imports(path) if module.startswith("common.")
                and folder_of(module) not in ARROWS[own]]


def test_common_imports_no_part():
    parts = {path.stem for path in ROOT.glob("[0-9]*/**/*.py")}
    assert not parts & {module for path in FILES for module in imports(path)}


def test_no_file_is_longer_than_300_lines():
    assert not {path.name: lines for path in FILES if (lines := len(path.read_text().splitlines())) > 300}


def test_no_class_is_longer_than_150_lines():
    assert not {node.name: lines for path in FILES for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.ClassDef) and (lines := node.end_lineno - node.lineno + 1) > 150}


def test_no_file_is_named_utils_or_helpers():
    assert not {path.name for path in FILES} & {"utils.py", "helpers.py"}
