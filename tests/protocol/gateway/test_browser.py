"""Names under `.localhost` in a real browser, with nothing set up for them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
from gatewaybench import Server
from gatewaytown import Town

NAMES = ("chromium-headless-shell", "chromium", "chrome", "google-chrome")


@pytest.fixture
def browser() -> str:
    """Chromium. `scripts/test` installs it where it may."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium: as root `apt-get install chromium-headless-shell`")
    return found


async def shown(browser: str, url: str, home: Path) -> str:
    """What a page has become in the browser, as its source."""
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server"]
    words += [f"--user-data-dir={home / 'profile'}", "--dump-dom", url]
    child = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": str(home)},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(120):
            said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return said.decode()


async def test_a_browser_reaches_a_name_under_localhost_without_any_set_up(
    here: Town, a: Server, browser: str, tmp_path: Path
) -> None:
    route = await here.route("web", {await here.backend(a): 1})
    await here.live("web", route["metadata"]["generation"])
    page = await shown(browser, f"http://web.localhost:{here.http}/", tmp_path)
    assert re.search(r">a</", page), page
    page = await shown(browser, f"http://nobody.localhost:{here.http}/", tmp_path)
    assert not re.search(r">a</", page), page
