"""The site of `make docs` as a specification: every page is in it, every link leads somewhere, its search finds.

Needs what `make docs` installs, and the search Chromium. AXE_CORE names axe-core's axe.min.js: see CONTRIBUTING.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.web.test_console_browser import axe, chromium

pytest.importorskip("sphinx", reason="needs what `make docs` installs")
__all__ = ["axe", "chromium"]  # fixtures

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(path for path in ROOT.glob("*.md") if path.name != "DESCRIPTION.md"), *ROOT.glob("docs/*.md")])
OUTSIDE = re.compile(r"(?:https?:)?//|data:|mailto:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the Makefile builds it, each warning an error."""
    folder = tmp_path_factory.mktemp("site")
    (recipe,) = re.findall(r"^\t@\$\(RUN\) -m (sphinx .*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    words = recipe.replace("$(VENV)/doctrees", str(folder / "doctrees")).split()
    command = [sys.executable, "-m", *words[:-1], str(folder / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, str]:
    return {path: path.read_text("utf-8") for path in site.rglob("*.html")}


def targets(text: str) -> Iterator[str]:
    return (unescape(found) for found in re.findall(r'\b(?:href|src)="([^"]+)"', text))


@pytest.mark.slow
class TestPages:
    def test_every_page_of_the_repository_is_one_of_the_site_and_in_its_menu(
        self, pages: dict[Path, str], site: Path
    ) -> None:
        menu = set(targets(pages[site / "index.html"]))
        ours = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in PAGES}
        assert {name for name in ours if not (site / name).exists()} == set()
        assert ours - menu == {"README.html"}  # shown as index.html

    def test_every_link_and_picture_leads_somewhere(self, pages: dict[Path, str]) -> None:
        identifiers = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
        broken = []
        for path, text in pages.items():
            for target in targets(text):
                parts = urlsplit(target)
                if OUTSIDE.match(target):
                    continue
                aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                known = not parts.fragment or aim not in pages or unquote(parts.fragment) in identifiers[aim] | {""}
                if not aim.is_file() or not known:
                    broken.append(f"{path.name}: {target}")
        assert broken == []

    def test_nothing_is_loaded_from_elsewhere(self, pages: dict[Path, str], site: Path) -> None:
        loading = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]+"')
        assert [found for text in pages.values() for found in loading.findall(text)] == []
        styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", styles) == []


@pytest.mark.slow
@pytest.mark.browser
class TestInTheBrowser:
    @pytest.mark.parametrize(
        ("word", "page"),
        [
            ("doNotCall", "Consent"),
            ("CONNECTOR_DATA_KEY", "careCycle CRM connector"),
            ("DUPLICATE_EXTERNAL_ID", "Operating the connector"),
            ("if_blank", "The mapping language"),
        ],
    )
    def test_the_search_finds_it_without_a_server(self, chromium: Chrome, site: Path, word: str, page: str) -> None:
        chromium.get(f"{(site / 'search.html').as_uri()}?q={word}")
        links = (By.CSS_SELECTOR, "#search-results li > a")
        WebDriverWait(chromium, 60).until(lambda browser: browser.find_elements(*links))
        assert page in {link.text for link in chromium.find_elements(*links)}

    @pytest.mark.parametrize("width", [390, 1280])
    @pytest.mark.parametrize("page", ["index.html", "docs/mapping.html", "docs/operating.html", "mappings/index.html"])
    def test_a_page_fits_and_everybody_can_use_it(
        self, chromium: Chrome, site: Path, axe: str, page: str, width: int
    ) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chromium.get((site / page).as_uri())
        assert chromium.execute_script("return document.documentElement.scrollWidth") <= width
        chromium.execute_script(axe)
        rules = "{runOnly: ['wcag2a', 'wcag2aa']}"
        run = f"axe.run(document, {rules}).then(found => arguments[0](found.violations.map(one => one.id)))"
        assert chromium.execute_async_script(run) == []
