"""Makes a release: everything a user needs who has no compiler. build/dist/engram-<version>.tar.gz

    python firmware/tools/dist.py            every architecture whose compiler is here
    python firmware/tools/dist.py --docs     and its tables into docs/install.md

    wheels/     the host part, with the files for every board in it and the firmware of virtual
                boards: for any computer (numpy, boards in QEMU), and for computers like this one
                (C kernels, the unix board too)
    mip/        the library and kernels as `mip` installs them: a folder an architecture, and a
                script that chooses
    README.md   docs/install.md
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "host"), str(ROOT / "device_lib"), str(ROOT / "firmware" / "natmod")]

import natmod_build  # noqa: E402
import natmod_modules  # noqa: E402

import engram  # noqa: E402
from engram_host import boards, build  # noqa: E402
from engram_host.install import make_files, mip  # noqa: E402
from engram_host.install.files import Files  # noqa: E402

DIST = ROOT / "build" / "dist"
DOCS = ROOT / "docs" / "install.md"


def device_files(archs: list[str]) -> Path:
    """The files for boards, with kernels for these architectures. Exits when some do not build."""
    root = make_files.make()
    for arch in archs:
        if not make_files.make_kernels(arch):
            program = natmod_build.COMPILERS[arch][0]
            sys.exit(f"engram: no kernels for {arch}: {program} is missing")
        print(f"kernels  {arch}", flush=True)
    for path in (root / "kernels").iterdir():
        if path.name not in archs:
            shutil.rmtree(path)
    return root


# Virtual boards whose firmware a wheel carries, so that `engram demo` works without a checkout ->
# what takes the symbols out of it. What QEMU runs is the same on every computer.
ANYWHERE = {"qemu_m4f": "arm-none-eabi-strip", "qemu_m4f_stock": "arm-none-eabi-strip"}
HERE = {"unix": "strip", "unix_stock": "strip"}
# The terms of the C library in that firmware, where Debian's package of it is installed.
NEWLIB = Path("/usr/share/doc/libnewlib-arm-none-eabi/copyright")


def firmware(strips: dict[str, str], out: Path) -> Path:
    """A folder with the firmware of virtual boards, built here, and the licences of its parts."""
    shutil.rmtree(out, ignore_errors=True)
    for name, strip in strips.items():
        board = boards.load(name)
        binary = build.build(board, say=print)
        (out / name).mkdir(parents=True)
        subprocess.run([strip, "-o", out / name / binary.name, binary], check=True)
    source = build.find_source().path
    shutil.copyfile(source / "LICENSE", out / "LICENSE.micropython")
    if NEWLIB.exists():
        shutil.copyfile(NEWLIB, out / "LICENSE.newlib")
    return out


def wheels(out: Path) -> list[Path]:
    """Two wheels of the host part: for any computer, and for those like this one."""
    out.mkdir(parents=True)
    for extension, strips in (("0", ANYWHERE), ("1", ANYWHERE | HERE)):
        place = ROOT / "build" / "wheel"
        ready = firmware(strips, ROOT / "build" / "wheel-firmware")
        shutil.rmtree(place, ignore_errors=True)
        result = subprocess.run(
            [sys.executable, "setup.py", "-q", "bdist_wheel", "--bdist-dir", place / "tree"]
            + ["--dist-dir", out],
            cwd=ROOT,
            env=os.environ | {"ENGRAM_EXTENSION": extension, "ENGRAM_DEVICE_FILES": "1"}
            | {"ENGRAM_BUILD": str(place), "ENGRAM_FIRMWARE": str(ready)},
            capture_output=True,
            text=True,
        )
        if result.returncode:
            sys.exit(f"engram: the wheel was not built:\n{result.stderr[-3000:]}")
    return sorted(out.glob("*.whl"))


def archive(tree: Path) -> Path:
    """The tree as .tar.gz. The same files give the same bytes; equal files are stored once."""
    target = tree.with_name(tree.name + ".tar.gz")
    seen: dict[bytes, str] = {}

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(target, "w:gz", compresslevel=9) as tar:
        for path in sorted(p for p in tree.rglob("*") if p.is_file()):
            name = path.relative_to(tree.parent).as_posix()
            info = plain(tar.gettarinfo(path, name))
            data = path.read_bytes()
            if data in seen:
                info.type, info.linkname, info.size = tarfile.LNKTYPE, seen[data], 0
                tar.addfile(info)
                continue
            seen[data] = name
            with path.open("rb") as file:
                tar.addfile(info, file)
    return target


def contents(tree: Path, target: Path) -> str:
    """Markdown table: what the archive holds."""
    lines = ["| part | files | bytes |", "|---|---:|---:|"]
    for part in ("wheels", "mip"):
        paths = [p for p in (tree / part).rglob("*") if p.is_file()]
        size = sum(p.stat().st_size for p in paths)
        lines.append(f"| `{part}/` | {len(paths)} | {size:,} |")
    for path in sorted((tree / "wheels").glob("*.whl")):
        name = re.sub(r"cp311-abi3-\w+", "cp311-abi3-<platform>", path.name)
        lines.append(f"| `wheels/{name}` | | {path.stat().st_size:,} |")
    lines.append(f"| `{target.name}` | | {target.stat().st_size:,} |")
    return "\n".join(lines)


def kernels(root: Path, archs: list[str]) -> str:
    """Markdown table: the sizes of the native kernels."""
    modules = natmod_modules.MODULES
    lines = ["| architecture | " + " | ".join(f"`{m}`" for m in modules) + " |"]
    lines.append("|---|" + "---:|" * len(modules))
    for arch in archs:
        files = Files(root)
        row = " | ".join(f"{files.kernel(arch, m).size:,}" for m in modules)
        lines.append(f"| `{arch}` | {row} |")
    return "\n".join(lines)


def write_docs(texts: dict[str, str]) -> None:
    text = DOCS.read_text()
    for name, table in texts.items():
        mark = re.compile(rf"(<!-- dist: {name} -->\n).*?(<!-- end -->)", re.S)
        if not mark.search(text):
            sys.exit(f"engram: {DOCS} has no place for the table {name}")
        text = mark.sub(lambda m, table=table: m[1] + table + "\n" + m[2], text)
    DOCS.write_text(text)


def make(archs: list[str], out: Path = DIST) -> tuple[Path, dict[str, str]]:
    """The archive in a folder, which is emptied first, and the tables that describe it."""
    root = device_files(archs)
    tree = out / f"engram-{engram.__version__}"
    shutil.rmtree(out, ignore_errors=True)
    wheels(tree / "wheels")
    for arch in archs:
        mip.write(Files(root, [arch]), tree / "mip" / arch)
    mip.write_choice(root, archs, tree / "mip")
    for name, path in (("README.md", DOCS), ("LICENSE", ROOT / "LICENSE")):
        shutil.copyfile(path, tree / name)
    target = archive(tree)
    return target, {"contents": contents(tree, target), "kernels": kernels(root, archs)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", action="store_true", help="tables into docs/install.md")
    parser.add_argument("--out", type=Path, default=DIST, help="default: build/dist")
    parser.add_argument("arch", nargs="*", help="default: every one whose compiler is here")
    options = parser.parse_args()
    target, texts = make(options.arch or natmod_build.available(), options.out)
    if options.docs:
        write_docs(texts)
    print(texts["contents"])
    print(os.path.relpath(target))


if __name__ == "__main__":
    main()
