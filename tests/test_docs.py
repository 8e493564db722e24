"""The README and docs/: tables are those of the results, links lead somewhere, commands parse."""

import csv
import json
import os
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from parts import ROOT, import_from

import common.options
import common.testing.script
from common.arguments import Parser
from common.parts import PARTS

sys.path.insert(0, str(ROOT / "benchmarks"))
import tables

PAGES = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8")
         for page in [*tables.PAGES, ROOT / "2a" / "other_networks" / "README.md", ROOT / "CONTRIBUTING.md",
                      ROOT / "CHANGELOG.md"]}
RESULTS = ROOT / "benchmarks" / "results"
SCRIPTS = sorted({*(script for part in PARTS.values() for script in (part.train, part.test) if script),
                  "2a/other_networks/train.py"})


FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


# Figures


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_those_of_the_results(page):
    assert tables.fill(PAGES[page]) == PAGES[page], "run benchmarks/tables.py"


def test_every_table_stands_in_a_page():
    found = [name for text in PAGES.values() for name in re.findall(r"<!-- table: ([a-z ]+) -->", text)]
    assert sorted(found) == sorted(tables.TABLES)


def test_a_page_that_a_figure_was_changed_in_is_not_that_of_the_results():
    page = tables.fill(PAGES["README.md"])
    accuracy = re.search(r"\| (\d\d\.\d\d) \|", page)[1]                      # the first of the table
    changed = page.replace(accuracy, "99.99")
    assert changed != page and tables.fill(changed) == page


@pytest.mark.parametrize("file, columns", [
    ("from_logs_202611/results.csv", re.compile("test accuracy at .*|last test loss")),
    ("best_cpu_202611/changes.csv", re.compile("before|after"))])
def test_figures_copied_from_logs_stand_in_the_logs_that_are_named(file, columns):
    path = RESULTS / file
    with open(path, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert rows
    for row in rows:
        logs = "".join((path.parent / log).read_text(encoding="utf-8") for log in row["log"].split())
        for name, figure in row.items():
            if figure and columns.fullmatch(name):
                assert re.search(rf"(?<![\d.]){re.escape(figure.rstrip('0'))}0*(?!\d)", logs), (row, name)


def test_output_in_the_readme_stands_in_the_logs():
    generated = (RESULTS / "pretraining_long_cpu_202611" / "generated_reviews.txt").read_text(encoding="utf-8")
    explained = (RESULTS / "from_logs_202611" / "explained_1a.txt").read_text(encoding="utf-8")
    blocks = [" ".join(block.split()) for block in code_blocks(PAGES["README.md"])]
    [review] = [block for block in blocks if block.startswith("A movie that is")]
    [words] = [block for block in blocks if "logit -" in block]
    assert review in " ".join(generated.split())
    assert words in " ".join(explained.split())


# Links and names of files


def links(text):
    prose = re.sub(r"^    .*$", "", re.sub(FENCED, "", text), flags=re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def test_links_are_found_in_prose_alone():
    assert links("see\n[a](b.md#c) and\n\n    [d](e)\n\n```\n[f](g)\n```\n[h](i)\n") == ["b.md#c", "i"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    for link in links(PAGES[page]):
        if not re.match("https?:", link):
            file, _, anchor = link.partition("#")
            target = (ROOT / page).parent / file if file else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_modules_that_a_page_names_exist(page):
    names = re.findall(r"(?<![\w./:-])((?:[123][abc]|common|tests|jobs|benchmarks)/[\w/]+\.(?:py|sh))", PAGES[page])
    for name in names:
        assert (ROOT / name).exists(), name


# Commands


def code_blocks(text):
    """Fenced and indented blocks, without their indent."""
    indented = re.findall(r"(?:^|\n)\n((?:    .*\n|\n(?=    ))+)", FENCED.sub("", text) + "\n")
    return [*FENCED.findall(text), *(re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in indented)]


COMMAND = re.compile(r"(\$ )?(env )?(\w+=('[^']*'|\S*) +)*(\.venv/bin/python|python|torchrun|make|jobs/submit)( |$)")


def commands(text):
    """The commands in a page's code blocks, each (variables set for it, list of words).

    A folder that a block copies from a part, as in `cp -r 2a gru`, counts as that part.
    """
    for block in code_blocks(text):
        for part, copy in re.findall(r"^cp -r (\w+) (\w+)$", block, re.MULTILINE):
            block = block.replace(f" {copy}/", f" {part}/")
        for line in block.replace("\\\n", " ").splitlines():
            if COMMAND.match(line):
                words = shlex.split(line.removeprefix("$ ").removeprefix("env "), comments=True)
                count = next(k for k, word in enumerate(words) if not re.match(r"\w+=", word))
                yield dict(word.split("=", 1) for word in words[:count]), words[count:]


COMMANDS = [pytest.param(*command, id=f"{page}: {' '.join(command[1])}")
            for page, text in PAGES.items() for command in commands(text)]


class Parsed(BaseException):
    """Ends a script once its options are parsed."""


def parse(script, options, monkeypatch):
    """Whether a script, a path from the project's folder or a module, takes these options; it ends before its work."""
    def ending(parse):
        def parse_and_stop(*arguments, **defaults):
            parse(*arguments, **defaults)
            raise Parsed
        return parse_and_stop

    if script[0] in "123":      # a part's, whose options may contradict one another
        for module in common.options, common.testing.script:
            monkeypatch.setattr(module, "parse_options", ending(module.parse_options))
    else:
        monkeypatch.setattr(Parser, "parse_args", ending(Parser.parse_args))
    monkeypatch.setattr(sys, "argv", [script, *options])
    try:
        if script.endswith(".py"):
            assert (ROOT / script).exists(), script
            import_from((ROOT / script).parent, monkeypatch)
            monkeypatch.delitem(sys.modules, "train", raising=False)
            runpy.run_path(str(ROOT / script), run_name="__main__")
        else:
            monkeypatch.delitem(sys.modules, script, raising=False)
            runpy.run_module(script, run_name="__main__")
    except Parsed:
        return True
    except SystemExit as end:
        return end.code == 0 and "--help" in options
    return False


def check_command(variables, words, monkeypatch):
    """Assert that a command's script or target exists and takes the options."""
    program, *rest = words
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        for word in rest:
            name, is_variable, _ = word.partition("=")
            kind = rf"^{name} *[?:]?=" if is_variable else rf"^(\.PHONY:.*\b{name}\b|{re.escape(name)}:)"
            known = re.search(kind, makefile, re.MULTILINE) or name.startswith("OPTIONS_") or name == ".venv/installed"
            assert known, word
    elif program == "jobs/submit":
        part, *options = rest[1:2] + rest[3:] if rest[:1] == ["sweep"] else rest or [""]
        if part in PARTS:
            assert parse(PARTS[part].train, options, monkeypatch)
    elif program == "torchrun":
        first = next(k for k, word in enumerate(rest) if word.endswith(".py"))
        assert parse(rest[first], rest[first + 1:], monkeypatch)
    elif rest[0] == "-m":
        assert not rest[1].startswith("common.") or parse(rest[1], rest[2:], monkeypatch)
    else:
        assert parse(rest[0], rest[1:], monkeypatch)
    for name, value in variables.items():
        if name.startswith("OPTIONS_"):
            assert parse(PARTS[name.removeprefix("OPTIONS_")].train, shlex.split(value), monkeypatch)


@pytest.mark.parametrize("variables, words", COMMANDS)
def test_a_documented_command_parses(variables, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    check_command(variables, words, monkeypatch)


@pytest.mark.parametrize("line", [
    "python 1a/BOW_test.py --no-such-option", "python 1a/no_such_script.py", "make no-such-target",
    "make NO_SUCH_VARIABLE=1", "torchrun 3a/train_language_model.py --epochs none",
    "python 2a/RNN_sentiment_analysis.py --patience 3", "OPTIONS_2a=--prime jobs/submit"])
def test_a_wrong_command_does_not_parse(line, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    [(variables, words)] = commands(f"\n\n    {line}\n")
    with pytest.raises(AssertionError):
        check_command(variables, words, monkeypatch)


def trainings(variables, words):
    """What a command trains: each (folder of the results, list of options)."""
    if words[0] == "jobs/submit" and words[1:2] != ["sweep"]:
        results = variables.get("RESULTS", f"{variables.get('FOLDER', '.')}/results")
        for part in PARTS if words[1:2] in ([], ["best"]) else words[1:2]:
            folder = f"{results}/best/{part}" if words[1:2] == ["best"] else f"{results}/{part}"
            yield Path(folder), [*shlex.split(variables.get(f"OPTIONS_{part}", "")), *words[2:]]
    for k, word in enumerate(words):
        if word in SCRIPTS and "test" not in word.lower() and not word.startswith("3b") and "--help" not in words:
            options = words[k + 1:]
            place = options.index("--output") if "--output" in options else None
            yield Path(word).parent if place is None else Path(options[place + 1]), (
                options if place is None else options[:place] + options[place + 2:])


def conflicts(all_commands):
    """The folders that commands train in with different options, which the scripts refuse."""
    found = {}
    for command in all_commands:
        for folder, options in trainings(*command):
            found.setdefault(folder, []).append(options)
    return {folder for folder, some in found.items() if any(options != some[0] for options in some)}


def test_the_commands_of_all_pages_can_be_run_one_after_another():
    assert not conflicts(command.values for command in COMMANDS)


@pytest.mark.parametrize("lines, folder", [
    (["python 2a/RNN_sentiment_analysis.py", "torchrun 2a/RNN_sentiment_analysis.py --seed 1"], "2a"),
    (["python 2a/RNN_sentiment_analysis.py --output results/best/2a", "jobs/submit best --seed 1"], "results/best/2a"),
    (["OPTIONS_3a='--epochs 30' jobs/submit", "jobs/submit 3a"], "results/3a")])
def test_commands_that_refuse_one_another_are_found(lines, folder):
    text = "".join(f"\n\n    {line}\n" for line in lines)
    assert conflicts(commands(text)) == {Path(folder)}


def test_the_commands_of_every_part_are_in_the_readme():
    words = {word for _, command in commands(PAGES["README.md"]) for word in command}
    assert {script for part in PARTS.values() for script in (part.train, part.test) if script} <= words


# Options


def parser_of(script, monkeypatch):
    """The parser of a part's script."""
    found = []
    build_parser = common.options.build_parser

    def build_and_stop(*arguments):
        found.append(build_parser(*arguments))
        raise Parsed

    with monkeypatch.context() as patch, pytest.raises(Parsed):
        patch.setattr(common.options, "build_parser", build_and_stop)
        patch.setattr(sys, "argv", [script])
        import_from((ROOT / script).parent, patch)
        patch.delitem(sys.modules, "train", raising=False)
        runpy.run_path(str(ROOT / script), run_name="__main__")
    return found[0]


def test_the_page_of_options_has_those_of_the_scripts_and_no_others(monkeypatch):
    taken = {}
    for script in SCRIPTS:
        place = "tests" if "test" in script.lower() else "networks" if "other" in script else script[:2]
        for option in parser_of(script, monkeypatch)._option_string_actions:
            taken.setdefault(option, set()).add(place)
    page = PAGES["docs/options.md"]
    assert set(re.findall(r"`(--[a-z-]+)", page)) == taken.keys() - {"-h"}
    rows = re.findall(r"^\| (.*?) \| ((?:\w+ )+)\| .* \|$", page, re.MULTILINE)
    assert rows
    for options, places in rows:
        for option in re.findall(r"`(--[a-z-]+)", options):
            listed = set(places.split())
            others = {"tests"} if option == "--batch-size" else set()           # said in its meaning
            assert listed == {"all"} or listed == taken[option] - others, option


# The notebook


def code_cells():
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def shown(cells):
    return "".join(str(output.get("data", output.get("text", output["output_type"])))
                   for cell in cells for output in cell["outputs"])


def test_the_notebook_has_the_outputs_of_one_run_from_top_to_bottom():
    assert [cell["execution_count"] for cell in code_cells()] == list(range(1, len(code_cells()) + 1))
    assert all(cell["outputs"] for cell in code_cells())
    assert not re.search(r"error|Traceback|[' ](/[a-z]+){2}", shown(code_cells()))           # nor paths of a machine


@pytest.mark.parametrize("command", [
    "".join(found) for cell in code_cells() for found in re.findall(r"!(python .*)", "".join(cell["source"]))])
def test_a_command_of_the_notebook_parses(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    [(variables, words)] = commands(f"\n\n    {command}\n")
    check_command(variables, words, monkeypatch)


@pytest.mark.slow
def test_the_notebook_runs_in_a_fresh_kernel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")     # where its `python` is found
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    shutil.copy(ROOT / "preprocess_data.py", tmp_path)
    for name in "common", "docs", *PARTS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.model", "*.state", ".*"))
    notebook = nbformat.read(tmp_path / "docs" / "notebook.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path / "docs")}}).execute()
    printed = shown(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "image/png" in printed                           # curves
    assert printed.count(" % sure") == 4                    # two reviews, each read by two parts
    assert "results/notebook/3b/generated_reviews.txt" in printed
