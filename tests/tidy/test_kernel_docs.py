"""The table of kernels in the documents is made, not written."""

import re
import subprocess
import sys

from tidy import tree


def test_the_table_of_kernels_is_up_to_date(tmp_path):
    """After a change to a kernel: python firmware/tools/kernel_docs.py"""
    page = tmp_path / "kernels.md"
    tool = tree.ROOT / "firmware" / "tools" / "kernel_docs.py"
    subprocess.run([sys.executable, tool, page], check=True)
    assert (tree.ROOT / "docs" / "kernels.md").read_text() == page.read_text()


def test_every_kernel_is_in_it():
    """The list is read by a pattern; a row it does not match must not go missing in silence."""
    text = (tree.ROOT / "firmware" / "kernels" / "engram_kernels.def").read_text()
    names = re.findall(r"^ENGRAM_KERNEL\((\w+)", text, re.M)
    table = (tree.ROOT / "docs" / "kernels.md").read_text()
    assert names and [n for n in names if f"| `{n}` |" not in table] == []
