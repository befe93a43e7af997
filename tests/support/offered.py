"""Packages that offer problems, written into a folder as an installer leaves them."""

from textwrap import dedent


def install(folder, package, code, *, name="mine", target=None, version="1.0"):
    """Install a distribution of one module that offers the problem `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package}.py").write_text(dedent(code))
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        f"[seq2seq_job.problems]\n{name} = {package}:{target or 'build'}\n"
    )
