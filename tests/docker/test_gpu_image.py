"""The image for GPUs, built and started on a machine without one: with GPU_IMAGE set, for it takes 6.6 GB."""

import shlex
import subprocess

from containers import LIMITS, ROOT, SPEC, as_caller

from job import errors


def test_it_starts_and_runs_a_batch_without_a_gpu(podman, gpu_image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC)
    done = podman.run(gpu_image, options=as_caller(workspace), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 jobs: 4 trained" in done.stdout


def test_a_job_that_asks_for_a_gpu_says_how_the_container_gets_one(podman, gpu_image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC + "    device: gpu\n")
    done = podman.run(gpu_image, options=as_caller(workspace), timeout=300)
    assert done.returncode == errors.FAILED
    said = " ".join(done.stdout.split())
    assert "TensorFlow sees none here: start the container with --gpus all" in said


def test_its_settings_and_packages_are_those_for_gpus(podman, gpu_image):
    variables = podman.inspect(gpu_image)["Config"]["Env"]
    assert "NVIDIA_VISIBLE_DEVICES=all" in variables
    listed = podman.run(gpu_image, "/opt/seq2seq-job/packages.txt", options=["--entrypoint=cat"]).stdout
    assert "nvidia-cudnn" in listed


def test_the_check_of_gpus_starts_in_it_and_says_that_there_is_none(podman, gpu_image):
    build = "--isolation=chroot --network=host --build-arg IMAGE=" + gpu_image
    variables = {"CONTAINER": shlex.join(podman.podman), "ARGS": build, "GPUS": shlex.join(LIMITS)}
    command = ["make", "image-gpu-check", *(f"{name}={value}" for name, value in variables.items())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no GPU: this machine has no NVIDIA GPU" in done.stdout
