"""The bundler: modules in order of need, clear errors, and a policy of the page's own hashes."""

import base64
import hashlib
import re
import shutil
import subprocess

import pytest

from protsae.core.errors import InputError
from protsae.explorer.bundle import bundle, render_index

NODE = shutil.which("node")
MODULES = {
    "main.js": 'import {double,\n  plain} from "./b.js";\nimport {one} from "./c.js";\n'
    "console.log(double(one), plain);\n",
    "b.js": 'import {one} from "./c.js";\nexport const plain = "export const x";\n'
    "export function double(x) { return x + one; }\n",
    "c.js": "/** One,\n * not two. */\n// A comment.\nexport const one = 1;\n",
}


@pytest.mark.skipif(NODE is None, reason="no node on this machine")
def test_bundle_runs_as_one_script(tmp_path):
    script = bundle(MODULES)
    assert not re.search(r"^(import|export) |not two|A comment", script, re.MULTILINE)
    (tmp_path / "all.cjs").write_text(script)
    done = subprocess.run([NODE, tmp_path / "all.cjs"], capture_output=True, text=True, check=True)
    assert done.stdout == "2 export const x\n"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"c.js": "export const one = 1;\nconst plain = 2;\n"}, "declares plain"),
        ({"c.js": 'import {plain} from "./b.js";\nexport const one = 1;\n'}, "import each other"),
        ({"c.js": "export const two = 1;\n"}, "imports one, which c.js does not export"),
        ({"c.js": "export default 1;\nexport const one = 1;\n"}, "export default 1"),
        ({"c.js": 'import * as b from "./b.js";\nexport const one = 1;\n'}, "import \\* as b"),
        ({"c.js": "export const one = `a\n b`;\n"}, "begins or ends a text"),
        ({"b.js": 'import {one} from "./d.js";\nexport const plain = 1, double = 2;\n'}, "needs d.js"),
    ],
)
def test_bundle_refuses_what_it_cannot_join(changed, message):
    with pytest.raises(InputError, match=message):
        bundle(MODULES | changed)


def test_index_allows_its_own_script_and_style_only():
    page = render_index("0123456789abcdef", "<b>Title & more")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(scripts) == len(styles) == 1

    def source(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'strict-dynamic' {source(scripts[0])}"
    assert rules["style-src"] == source(styles[0])
    assert "<title>&lt;b&gt;Title &amp; more</title>" in page
    assert 'data-run="0123456789abcdef"' in page
    assert not re.search(r'\sstyle="|\son\w+="|src="http|href="http', page.split("<script>")[0])


def test_template_without_a_marker_is_refused(tmp_path):
    (tmp_path / "main.js").write_text("export const a = 1;\n")
    (tmp_path / "explorer.css").write_text("")
    (tmp_path / "index.html").write_text("{{run}}{{title}}{{policy}}{{style}}")
    with pytest.raises(InputError, match=r"index\.html needs each of"):
        render_index("0", "t", tmp_path)
