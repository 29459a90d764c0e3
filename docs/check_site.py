"""Check the internal links of a built site, and take screenshots.

    python docs/check_site.py OUT [--pictures FOLDER]

The screenshots show one page of each kind, wide and narrow, light and dark. They need Chromium.
"""

import argparse
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

#: One page of each kind.
PAGES = (
    "index",
    "api",
    "generated/sklearn_toynn.TwoLayerNetClassifier",
    "guide/index",
    "guide/the_model",
    "guide/settings",
    "auto_examples/index",
    "auto_examples/plot_1_spiral",
    "auto_examples/plot_0_beat_the_baseline",
    "benchmarks/index",
    "benchmarks/README",
    "architecture",
)
WIDTHS = {"wide": 1300, "narrow": 400}
MODES = {"light": 1, "dark": 0}  # values of Chromium's preferredColorScheme
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"id", "name"}:
                self.anchors.add(value)
            elif name in {"href", "src"} and value and tag != "link":
                self.links.add(value)


def find_broken_links(site):
    """Yield a message for each broken internal link."""
    paths = (path for path in site.rglob("*.html") if "_static" not in path.parts)
    pages = {path.resolve(): Page(path) for path in paths}
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            for notebook in parse_qs(parts.query).get("path", []):  # a JupyterLite button
                target = site.resolve() / "lite" / "files" / notebook
            if not target.exists():
                yield f"{path.relative_to(site.resolve())}: {link} does not exist"
            elif (
                parts.fragment
                and target in pages
                and unquote(parts.fragment) not in pages[target].anchors
            ):
                yield f"{path.relative_to(site.resolve())}: {link} has no such anchor"


def take_pictures(site, folder):
    """Save a screenshot of each page, width and mode."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"--pictures needs one of {', '.join(BROWSERS)}")
    folder.mkdir(parents=True, exist_ok=True)
    for page, (width, pixels), (mode, number) in product(PAGES, WIDTHS.items(), MODES.items()):
        path = folder / f"{page.replace('/', '-')}-{width}-{mode}.png"
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--virtual-time-budget=5000",
                f"--blink-settings=preferredColorScheme={number}",
                f"--window-size={pixels},2400",
                f"--screenshot={path}",
                (site / f"{page}.html").resolve().as_uri(),
            ],
            check=True,
            capture_output=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    broken = list(find_broken_links(args.site))
    print("\n".join(broken) or "all internal links work")
    if args.pictures:
        take_pictures(args.site, args.pictures)
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
