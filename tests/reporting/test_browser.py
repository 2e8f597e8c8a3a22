"""The page in a real browser, from disk: everything is drawn and the security policy is not once violated."""

import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=5000",
    "--enable-logging=stderr",
    "--v=0",
    "--dump-dom",
)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_page_opens_from_disk_without_console_messages(page, tmp_path):
    path = tmp_path / "index.html"
    # Opening every card draws every heat strip.
    path.write_text(page.replace('<details class="card', '<details open class="card'), encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    drawn = done.stdout.split("* plotly.js v")[0] + done.stdout.rsplit("</script>", 1)[-1]
    assert len(re.findall(r'class="[^"]*js-plotly-plot', drawn)) == 10
    assert len(re.findall(r'class="residues-row"', drawn)) >= 28
    assert "<img" not in drawn
