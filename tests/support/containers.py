"""The image, built by `make image` and run by podman, with all their files in a directory of its own.

The base is made here from Debian's packages, for machines that reach no registry of images. Needs root, as
mmdebstrap and containers without user namespaces do.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = {"make": "make", "podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
PACKAGES = "python3,python3-venv,ca-certificates"
SOURCE = "https://example.com/seq2seq-job"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

# Limits that a container without the right to raise its own can be given.
LIMITS = ["--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000"]

SPEC = """\
version: 1
seed: 3
defaults:
  model: {units: 16}
  training: {examples: 6400, batch_size: 32, optimizer: {learning_rate: 0.02}}
  evaluation: {examples: 200, validation_examples: 50}
jobs:
  - name: short
    matrix: {problem.cardinality: [5, 6, 7, 8]}
    problem: {kind: copy, source_length: 2}
"""
"""A batch of four jobs that takes seconds."""

CALLER = 4321, 8765
"""A user and a group that nothing in the image knows."""

HARDENED = ["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=ALL"]
HARDENED += ["--security-opt=no-new-privileges"]


def as_caller(workspace):
    """The options of `docker run` that docs/containers.md gives, in the strictest form."""
    user = f"--user={CALLER[0]}:{CALLER[1]}"
    return [user, f"--volume={workspace}:/workspace", *HARDENED]


SETTINGS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "HTTPS_PROXY", "NO_PROXY")
"""How this machine's pip and uv reach an index: the build has the same."""


def missing():
    """Return why no image can be built here; empty if one can."""
    if os.geteuid() != 0:
        return "images are built as root, which this user is not"
    gone = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    return f"apt-get install {' '.join(gone)}" if gone else ""


def wait_until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Containers:
    """podman over a store of its own.

    Args:
        store: where images and containers lie.
        keeps: whether the store is used again.
    """

    def __init__(self, store, keeps):
        self.store = store
        self.keeps = keeps
        # runc: what Docker runs too. No cgroup of systemd's, which does not run in a container or in CI.
        self.podman = [
            "podman", "--root", f"{store}/images", "--runroot", f"{store}/run", "--tmpdir", f"{store}/tmp",
            "--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
        ]  # fmt: skip

    def call(self, *arguments, timeout=120, check=True, **options):
        """Run podman; return the finished process."""
        command = [*self.podman, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, **options
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def run(self, image, *arguments, options=(), **more):
        """Run a container to its end, without a network; return the finished process, whatever it came to."""
        return self.call("run", "--rm", *LIMITS, *options, image, *arguments, check=False, **more)

    def has(self, image):
        return self.call("image", "exists", image, check=False).returncode == 0

    def inspect(self, name, kind="image"):
        return json.loads(self.call(kind, "inspect", name).stdout)[0]

    def make_base(self, name):
        """Make a base image as Debian has it, that trusts whom this machine trusts."""
        archive = self.store / "base.tar"
        trust = f"upload {CERTIFICATES} {CERTIFICATES}"
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        unsynced = "--dpkgopt=force-unsafe-io"  # what is lost with the machine is made anew
        command += [unsynced, f"--customize-hook={trust}", "bookworm", str(archive)]
        subprocess.run(command, check=True, timeout=900)
        variables = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        variables |= {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES}
        changes = [f"--change=ENV {key}={value}" for key, value in variables.items()]
        self.call("import", *changes, archive, name, timeout=200)
        archive.unlink()

    def make_image(self, target, base):
        """Run a target of the Makefile that builds, without network namespaces and cgroups of a daemon."""
        layers = "true" if self.keeps else "false"  # a layer a step is only good for building again
        options = f"--isolation=chroot --network=host --layers={layers} --build-arg BASE_IMAGE={base}"
        variables = {"CONTAINER": " ".join(self.podman), "ARGS": options, "SOURCE": SOURCE}
        command = ["make", target, *(f"{name}={value}" for name, value in variables.items())]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
