"""The report's page: report.md with its figures, and report.html, the same in one file."""

import base64
import re

import markdown

from common.files import replace_file

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1em/1.5 system-ui, sans-serif; color: #1a1a1a; background: white; max-width: 72em; margin: 0 auto;
       padding: 0 1em 3em }}
h1 {{ margin: 1em 0 0; line-height: 1.2 }}
h2 {{ margin: 2.2em 0 .6em; padding-top: .4em; border-top: 2px solid #004c8c; line-height: 1.25 }}
h3 {{ margin: 1.6em 0 .4em }}
nav {{ margin: 1.2em 0; padding: .2em 0; border-bottom: 1px solid #ccc }}
nav ul {{ display: flex; flex-wrap: wrap; gap: .2em 1.2em; list-style: none; margin: 0; padding: .3em 0 }}
nav ul ul {{ display: none }}
a {{ color: #004c8c }}
.scroll {{ overflow-x: auto }}
table {{ border-collapse: collapse; margin: .6em 0; font-variant-numeric: tabular-nums }}
th, td {{ border-bottom: 1px solid #ddd; padding: .3em .8em .3em 0; text-align: left; vertical-align: top }}
th {{ border-bottom: 2px solid #999; vertical-align: bottom }}
.figures {{ display: flex; flex-wrap: wrap; gap: 1em }}
.figures img {{ max-width: 100%; height: auto; zoom: .64 }}
pre {{ white-space: pre-wrap; background: #f4f4f4; padding: 1em }}
td[style] {{ white-space: nowrap }}
td:last-child {{ min-width: 9em }}
td[style]:last-child {{ min-width: 0 }}
@media (max-width: 40em) {{
  td, th {{ padding-right: .5em; font-size: .8em }}
  .figures img {{ zoom: .9 }}
}}
@media print {{
  body {{ max-width: none; font-size: 10pt }}
  nav {{ display: none }}
  h2, h3 {{ break-after: avoid }}
  tr, img, pre {{ break-inside: avoid }}
  .scroll {{ overflow: visible }}
  table {{ font-size: 8pt }}
  .figures img {{ max-width: 48% }}
}}
</style>
</head>
<body>
{body}
</body>
</html>
"""


class Page:
    """Sections of Markdown, and figures in a folder.

    Args:
        folder: that the page and its figures are written to; title: its heading.
    """

    def __init__(self, folder, title):
        self.folder, self.title = folder, title
        self.sections, self.figures = [], set()

    def add(self, *sections):
        self.sections += sections

    def add_figures(self, *figures):
        """Draw figures that stand side by side: each (name, what draws it, arguments after the path)."""
        for name, draw, *arguments in figures:
            draw(self.folder / f"{name}.png", *arguments)
        names = [name for name, *_ in figures if (self.folder / f"{name}.png").exists()]
        self.figures.update(f"{name}.png" for name in names)
        self.add("\n".join(f"![{name.replace('_', ' ')}]({name}.png)" for name in names))

    def write(self):
        """Write report.md and report.html."""
        introduction, *others = self.sections
        with replace_file(self.folder / "report.md") as file:
            file.write("\n\n".join([f"# {self.title}", introduction, *others]) + "\n")
        with replace_file(self.folder / "report.html") as file:
            file.write(self.html(introduction, others))

    def html(self, introduction, others):
        # The table of contents is a sort of list that Markdown makes of the headings.
        text = "\n\n".join([f"# {self.title}", introduction, "[TOC]", *others])
        body = markdown.markdown(text, extensions=["tables", "toc"], extension_configs={"toc": {"toc_depth": "2-2"}})
        body = body.replace('<div class="toc">', "<nav>", 1).replace("</ul>\n</div>", "</ul>\n</nav>", 1)
        body = body.replace("<table>", '<div class="scroll"><table>').replace("</table>", "</table></div>")
        body = re.sub(r"<p>(<img.*?)</p>", r'<p class="figures">\1</p>', body, flags=re.DOTALL)
        body = re.sub(r'(<img alt="[^"]*" src=)"([^"]+)"', self.embedded, body)
        return TEMPLATE.format(title=self.title, body=body)

    def embedded(self, found):
        """An image tag with the figure in it."""
        if found[2] not in self.figures:
            return found[0]
        content = base64.b64encode((self.folder / found[2]).read_bytes()).decode()
        return f'{found[1]}"data:image/png;base64,{content}"'
