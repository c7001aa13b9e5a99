"""The searchable site of `make docs`: the Markdown of this repository, with every link, picture and file it names.

Nothing is loaded from elsewhere, no fonts, scripts or trackers, so that it also works from a disk without a network.
"""

import re
import shutil
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
GROUPS = {
    "For the admin": ["docs/mapping", "docs/recipes", "docs/salesforce", "docs/hubspot", "docs/carecycle"],
    "For the operator": [
        "docs/operating",
        "docs/deploying",
        "docs/upgrading",
        "docs/performance",
        "benchmarks/RESULTS",
    ],
    "For the compliance officer": ["docs/consent", "docs/security", "docs/asvs", "SECURITY"],
    "For the programmer": ["docs/design", "CONTRIBUTING", "CHANGELOG"],
}

project = html_title = "careCycle CRM connector"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "benchmarks/RESULTS.md"]
exclude_patterns = ["DESCRIPTION.md", ".*", "connector", "site", "tests"]
myst_heading_anchors = 6  # named as GitHub does, so that the same links work in both places
suppress_warnings = ["misc.highlighting_failure"]  # a language that Pygments does not know is shown without colours
html_theme = "furo"
html_static_path, html_css_files = ["_static"], ["tables.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

_DIAGRAM = re.compile(r"^```mermaid\n.*?^ *accDescr: ([^\n]+)\n.*?^```$", re.M | re.S)
_LINK = re.compile(r"\[([^\]\n]+)\]\((?!https?:|#)([^)#\s]+)\)")
_folders: set[Path] = set()


def read(app: Any, name: str, source: list[str]) -> None:
    """Say a diagram in words, since no browser draws it by itself, and lead to a folder's list of files."""
    text = _DIAGRAM.sub(r"\1", source[0])
    here = (ROOT / name).parent
    source[0] = _LINK.sub(lambda link: _to_folder(link, here), text) + (_menu() if name == root_doc else "")


def _to_folder(link: re.Match[str], here: Path) -> str:
    folder = (here / link[2]).resolve()
    if not folder.is_dir():
        return link[0]
    _folders.add(folder.relative_to(ROOT))
    return f'<a href="{link[2].rstrip("/")}/index.html">{link[1].replace("`", "")}</a>'


def _menu() -> str:
    trees = (
        "\n".join(["```{toctree}", f":caption: {about}", ":hidden:", "", *names, "```"])
        for about, names in GROUPS.items()
    )
    return "\n\n" + "\n\n".join(trees) + "\n"


def lists_of_files(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each folder that a page leads to."""
    for folder in sorted(_folders):
        names = [path.relative_to(ROOT / folder).as_posix() for path in _files(folder)]
        rows = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in names)
        body = f"<h1>{escape(folder.as_posix())}</h1><ul>{rows}</ul>"
        yield f"{folder.as_posix()}/index", {"title": folder.as_posix(), "body": body}, "page.html"


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and "node_modules" not in path.parts]


def finish(app: Any, failure: Exception | None) -> None:
    """Copy the files of those folders, put right what the theme lacks, and open with the README."""
    site = Path(app.outdir)
    for path in {path for folder in _folders for path in _files(folder)}:
        target = site / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for page in site.rglob("*.html"):  # what screen readers and keyboards miss in the theme
        text = page.read_text("utf-8").replace('role="heading"', 'role="heading" aria-level="2"')
        text = text.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
        page.write_text(text.replace("<pre>", '<pre tabindex="0">'), "utf-8")
    if failure is None:
        shutil.copy(site / f"{root_doc}.html", site / "index.html")


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("html-collect-pages", lists_of_files)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": False}
