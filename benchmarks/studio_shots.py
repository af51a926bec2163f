"""Pictures of every tab of the studio, on a desktop in light and dark and on a phone, to be looked at.

    python benchmarks/studio_shots.py --model MODEL --picture PICTURE --out DIR

Starts `tintype serve` on loopback and drives headless Chromium, as the tests do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser import Page, chromium

TABS = ("Picture", "Batch", "Runs", "Blind test", "Models")
SCREENS = {
    "light": {"width": 1280, "height": 960},
    "dark": {"width": 1280, "height": 960, "dark": True},
    "phone": {"width": 390, "height": 844, "phone": True},
    "phone-dark": {"width": 390, "height": 844, "phone": True, "dark": True},
}


def main() -> None:
    """Serve, look, and write one PNG for each tab and screen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", required=True, help="[NAME=]MODEL; repeatable")
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--blind-test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--screens", nargs="+", choices=SCREENS, default=list(SCREENS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tintype", "serve", "--port", "0"]
    for model in given.model:
        command += ["--model", model]
    for name, value in (("--runs", given.runs), ("--blind-test", given.blind_test)):
        command += [name, str(value)] if value else []
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log.txt").open("w") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            found = re.search(r"the studio at (\S+)", server.stdout.readline())
            if found is None:
                sys.exit((Path(folder) / "log.txt").read_text())
            with chromium(Path(folder)) as page:
                for name in given.screens:
                    shoot(page, found[1], name, given.picture.resolve(), given.out)
        finally:
            server.terminate()
            server.wait()


def shoot(page: Page, address: str, screen: str, picture: Path, out: Path) -> None:
    """All tabs on one screen."""
    page.resize(**SCREENS[screen])
    page.open(address)
    page.until("!!document.querySelector('#upload input[type=file]')")
    page.picture(out / f"empty-{screen}.png")
    page.upload("#upload", picture)
    page.until("/original/.test(document.querySelector('#status').textContent)", 60)
    if page.value("!!document.querySelector('#hints > button')"):
        page.click("#hints > button")
        page.until("document.querySelector('#canvas img')?.naturalWidth > 0")
    page.value("document.querySelector('#unsure')?.click()")
    page.until("document.querySelector('#spread img')?.naturalWidth > 0")
    for tab in TABS:
        page.value(
            "(() => { const shown = [...document.querySelectorAll('button[role=tab]')].find((b) =>"
            f" b.textContent.trim() === {tab!r} && b.offsetParent); if (shown) {{ shown.click(); return; }}"
            " document.querySelector('.overflow-menu > button').click(); })()"
        )
        time.sleep(0.3)
        page.value(
            f"[...document.querySelectorAll('.overflow-dropdown button')].find((b) => b.textContent.trim() === {tab!r})"
            "?.click()"
        )
        time.sleep(6 if tab == "Runs" else 1)
        whole(page, out / f"{tab.split()[0].lower()}-{screen}.png", screen)
        width = page.value("document.documentElement.scrollWidth")
        print(f"{tab} {screen}: {width} px wide; {len(page.errors)} errors")
    elsewhere = [
        url for url in page.requests if not url.startswith((address.rsplit("/studio", 1)[0], "data:", "blob:"))
    ]
    print(f"{screen}: {len(page.requests)} requests, {len(elsewhere)} of them elsewhere; {page.errors}")


def whole(page: Page, path: Path, screen: str) -> None:
    """The whole height of a page as one picture."""
    size = SCREENS[screen]
    page.value("window.scrollTo(0, 0)")
    height = page.value("Math.max(document.body.scrollHeight, document.documentElement.scrollHeight)")
    page.resize(**{**size, "height": min(max(size["height"], height), 4000)})
    time.sleep(0.4)
    page.picture(path)
    page.resize(**size)


if __name__ == "__main__":
    main()
