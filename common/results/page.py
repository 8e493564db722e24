"""The report's page: report.md with its figures, and report.html, the same in one file."""

import base64
import html
import re

import markdown

from common.files import replace_file
from common.results.explained import PAGE
from common.results.figures import DPI


class Page:
    """Sections of Markdown, some of them folded, and figures in a folder.

    Args:
        folder: that the page and its figures are written to; title: its heading.
    """

    def __init__(self, folder, title):
        self.folder, self.title, self.sections = folder, title, [("", f"# {title}")]

    def add(self, *sections):
        self.sections += [("", section) for section in sections if section]

    def fold(self, summary, *sections):
        """Add sections that show when their summary is clicked, if there are such."""
        if any(sections):
            self.sections.append((html.escape(summary, quote=False), "\n\n".join(filter(None, sections))))

    def figure(self, name, draw, *arguments):
        """Markdown of a figure; draw: what draws it, given a path and the arguments."""
        draw(self.folder / f"{name}.png", *arguments)
        there = (self.folder / f"{name}.png").exists()
        return f"![{name.replace('_', ' ')}]({name}.png)" if there else ""

    def write(self):
        """Write report.md and report.html."""
        with replace_file(self.folder / "report.md") as file:
            file.write(self.joined(str) + "\n")
        with replace_file(self.folder / "report.html") as file:
            file.write(PAGE.substitute(title=html.escape(self.title), body=self.joined(self.html)))

    def joined(self, converted):
        """All sections, each converted from Markdown."""
        return "\n\n".join(
            f"<details>\n<summary>{summary}</summary>\n\n{converted(text)}\n\n</details>" if summary
            else converted(text) for summary, text in self.sections)

    def html(self, text):
        """Markdown as HTML in which wide tables scroll and figures are embedded."""
        body = markdown.markdown(text, extensions=["tables"])
        body = re.sub(r"<table>.*?</table>", scrolling, body, flags=re.DOTALL)
        body = re.sub(r"<p>(<img.*?)</p>", r'<p class="figures">\1</p>', body, flags=re.DOTALL)
        return re.sub(r'(<img alt="[^"]*" src=)"([^"]+)"', self.embedded, body)

    def embedded(self, found):
        """An image tag with the figure in it, at the size that it was drawn for."""
        content = (self.folder / found[2]).read_bytes()
        width = int.from_bytes(content[16:20], "big") * 96 // DPI               # of a PNG file, in pixels
        return f'{found[1]}"data:image/png;base64,{base64.b64encode(content).decode()}" width="{width}"'


def scrolling(found):
    """A table that scrolls where the screen is too narrow, and says so if it is for a phone's."""
    wide = any(len(re.sub(r"\s*<[^>]+>", "", row)) > 40 for row in found[0].split("</tr>")[:2])
    return f'<div class="scroll{" wide" * wide}" tabindex="0">{found[0]}</div>'
