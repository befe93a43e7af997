"""The environment of the peers that cannot share this project's: made once, with the versions of
`requirements/peers.txt`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements" / "peers.txt"
DIRECTORY = ROOT / ".venv-peers"


def prepare() -> Path:
    """Return the environment's Python; make the environment first where it is missing or out of date."""
    stamp = DIRECTORY / "installed.txt"
    python = DIRECTORY / "bin" / "python"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing PyTorch, JAX and yoyodyne into {DIRECTORY.name} (once)", file=sys.stderr, flush=True)
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(DIRECTORY)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--prefer-binary", "-r", str(REQUIREMENTS)]
    subprocess.run(install, check=True)
    # yoyodyne asks for these and never imports them; a build for CUDA does not load beside a CPU's PyTorch.
    uninstall = [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", "torchvision", "torchaudio"]
    subprocess.run(uninstall, check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python
