"""The page is one file that shows text as it is, on screens of any width."""

import html.parser
import re
import sys

import pytest
from leave_runs import curves, leave_results

from common.errors import run_script
from common.results import report as reports
from common.results.figures import save_curves
from common.results.page import PAGE, Page


def write_page(folder):
    """The page of a report on the results in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["reports", str(folder), "--output", str(folder / "report")])
        run_script(reports.main)
    return (folder / "report" / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return leave_results(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(results):
    return write_page(results)


class Outline(html.parser.HTMLParser):
    """The tags that are open at the end."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_tag_is_closed(page):
    assert Outline(page).open == []


def test_the_heading_says_which_data_and_when(page):
    assert re.search(r"<strong>the 25,000 test reviews of the IMDB dataset</strong>: runs 5, trials 4, reported on "
                     r"\d+ [A-Z][a-z]+ \d{4}\.", page)


def test_what_few_read_is_folded(page):
    folded = "".join(re.findall("<details>.*?</details>", page, re.DOTALL))
    for text in "1a: bag of words, trials and learning curves", "Machines and settings", "calibration error":
        assert (text in page) == (text in folded)
    assert "What it shows" not in folded and folded.count("<summary>") == page.count("<details>") > 3


def test_the_page_needs_no_other_file(page):
    sources = re.findall(r'src="([^"]*)', page)
    assert sources and all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r'href="[^#]|@import|url\(', page)


def test_the_figures_of_trials_stand_side_by_side(page):
    [figures] = [some for some in re.findall(r'<p class="figures">.*?</p>', page, re.DOTALL) if "curves 1a" in some]
    assert figures.count("<img") == 2


def test_wide_tables_scroll_and_the_page_fits_a_phone(page):
    assert len(re.findall('<div class="scroll[a-z ]*" tabindex="0"><table>', page)) == page.count("<table>") > 4
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page and "@media print" in page


def test_tables_that_a_phone_cannot_show_say_that_they_scroll(tmp_path):
    page = Page(tmp_path, "Title")
    assert 'class="scroll"' in page.html("| a | b |\n| --- | --- |\n| 1 | 2 |")
    assert 'class="scroll wide"' in page.html("| a | b |\n| --- | --- |\n| " + "long " * 10 + "| 2 |")
    assert "scroll sideways" in PAGE.template


def test_figures_are_shown_at_the_size_that_they_were_drawn_for(tmp_path):
    page = Page(tmp_path, "Title")
    text = page.figure("one", save_curves, "1a", curves([0.5, 0.4], [0.5, 0.4]))
    assert 'width="364"' in page.html(text)             # of 3.8 inches, at 96 pixels an inch


def test_generated_reviews_stand_as_they_are(page):
    assert "A *great* film &lt;3" in page


def test_a_generated_review_that_reads_like_an_image_is_text(tmp_path):
    leave_results(tmp_path)
    text = 'a src="film.png" film <img alt="x" src="curves_1a_1.png" />\n![x](film.png)\n'
    (tmp_path / "3b" / "generated_reviews.txt").write_text(text)
    page = write_page(tmp_path)
    assert 'a src="film.png" film &lt;img alt="x" src="curves_1a_1.png" /&gt;' in page and "![x](film.png)" in page


def test_the_markdown_names_its_figures(results, page):
    text = (results / "report" / "report.md").read_text()
    names = re.findall(r"\]\((.+?\.png)\)", text)
    assert {"accuracy_by_length.png", "curves_1a_1.png"} <= set(names)
    for name in names:
        assert (results / "report" / name).read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_drawn_costs_no_page(tmp_path):
    page = Page(tmp_path, "Title")
    page.add(page.figure("missing", lambda path: None), page.figure("there", lambda path: path.write_bytes(b"\x89PNG")))
    page.write()
    assert "missing" not in (tmp_path / "report.md").read_text() and "there.png" in (tmp_path / "report.md").read_text()
