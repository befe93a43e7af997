import pytest

from job.workers.limits import (
    WORKER_BYTES,
    Limits,
    available_bytes,
    device_variables,
    group_directories,
    memory,
    quota,
    read_limits,
    thread_count,
    visible_gpus,
    worker_count,
)

GIB = 1 << 30
V1_NO_LIMIT = "9223372036854771712\n"


# --- how many workers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        (Limits(8, None, None), 8),
        (Limits(8, 2.0, 64 * GIB), 2),
        (Limits(8, 2.5, 64 * GIB), 2),
        (Limits(8, 0.5, 64 * GIB), 1),
        (Limits(2, 16.0, 64 * GIB), 2),
        (Limits(8, None, 3 * WORKER_BYTES + 1), 3),
        (Limits(8, None, WORKER_BYTES // 2), 1),
        (Limits(8, 4.0, 64 * GIB, ("0",)), 1),
        (Limits(2, 1.0, GIB, ("GPU-a", "GPU-b", "GPU-c")), 3),
    ],
)
def test_worker_count(limits, count):
    assert worker_count(limits) == count


def test_each_worker_sees_one_gpu_and_shares_it_only_when_there_are_too_few():
    seen = [device_variables(("4", "GPU-b"), worker)["CUDA_VISIBLE_DEVICES"] for worker in range(3)]
    assert seen == ["4", "GPU-b", "4"]
    assert device_variables((), 0) == {}


# --- what files say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "400000 50000\n"}, 8.0),
        ({"cpu.max": "200000\n"}, 2.0),
        ({"cpu.max": "max\n"}, None),
        ({"cpu.max": "100 0\n"}, None),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.cfs_quota_us": "50000\n", "cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu.cfs_quota_us": "300000\n"}, None),
        ({}, None),
    ],
)
def test_quota(files, cores):
    assert quota(files) == cores


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "max\n"}, None),
        ({"memory.max": "2147483648\n"}, 2 * GIB),
        ({"memory.max": "0\n"}, 0),
        ({"memory.limit_in_bytes": V1_NO_LIMIT}, None),
        ({"memory.limit_in_bytes": "1073741824\n"}, GIB),
        ({}, None),
    ],
)
def test_memory(files, expected):
    assert memory(files) == expected


@pytest.mark.parametrize(
    ("groups", "controller", "expected"),
    [
        ("0::/\n", "cpu", (".",)),
        ("0::/kube/pod1/c1\n", "memory", ("kube/pod1/c1", "kube/pod1", "kube", ".")),
        ("5:memory:/docker/c1\n3:cpu,cpuacct:/\n", "memory", ("memory/docker/c1", "memory/docker", "memory")),
        ("5:memory:/docker/c1\n3:cpu,cpuacct:/\n", "cpu", ("cpu",)),
        ("1:cpuset:/a\n", "cpu", ()),
        ("1:name=systemd:/a\n", "memory", ()),
        ("2:memory:/m\n0::/u\n", "memory", ("memory/m", "memory", "u", ".")),
        ("0::/../other\n", "cpu", (".",)),
        ("", "cpu", ()),
        ("nonsense\n", "cpu", ()),
    ],
)
def test_group_directories(groups, controller, expected):
    assert group_directories(groups, controller) == expected


@pytest.mark.parametrize(
    ("meminfo", "expected"),
    [
        ("MemTotal:       16 kB\nMemFree:  2 kB\nMemAvailable:    8 kB\n", 8192),
        ("MemTotal: 16 kB\nMemFree: 2 kB\n", None),
        ("", None),
    ],
)
def test_available_bytes(meminfo, expected):
    assert available_bytes(meminfo) == expected


@pytest.mark.parametrize(
    ("variable", "devices", "gpus"),
    [
        (None, ["null", "nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"], ("0", "1")),
        (None, ["nvidia3", "nvidiactl"], ("0",)),
        (None, ["null"], ()),
        ("", ["nvidia0"], ()),
        ("-1", ["nvidia0"], ()),
        ("NoDevFiles", ["nvidia0"], ()),
        ("2,0", ["nvidia0", "nvidia1", "nvidia2"], ("2", "0")),
        ("1,-1,0", ["nvidia0", "nvidia1"], ("1",)),
        ("GPU-8932f937, MIG-1/2/3", [], ("GPU-8932f937", "MIG-1/2/3")),
    ],
)
def test_visible_gpus(variable, devices, gpus):
    assert visible_gpus(variable, devices) == gpus


# --- a whole system -----------------------------------------------------------------------------------------


def with_files(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


CGROUP = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("files", "cpu_quota", "memory_bytes"),
    [
        ({}, None, None),
        ({"proc/meminfo": "MemAvailable: 1024 kB\n"}, None, 1 << 20),
        (  # v2 in a container of its own name space
            {
                "proc/self/cgroup": "0::/\n",
                f"{CGROUP}/cpu.max": "300000 100000\n",
                f"{CGROUP}/memory.max": f"{4 * GIB}\n",
                "proc/meminfo": f"MemAvailable: {32 * GIB // 1024} kB\n",
            },
            3.0,
            4 * GIB,
        ),
        (  # v2, where the strictest of the groups above counts
            {
                "proc/self/cgroup": "0::/a/b\n",
                f"{CGROUP}/a/b/cpu.max": "max 100000\n",
                f"{CGROUP}/a/cpu.max": "200000 100000\n",
                f"{CGROUP}/a/b/memory.max": f"{4 * GIB}\n",
                f"{CGROUP}/a/memory.max": f"{3 * GIB}\n",
            },
            2.0,
            3 * GIB,
        ),
        (  # v1 in Docker: the path is the host's, the files are at the top
            {
                "proc/self/cgroup": "6:memory:/docker/c1\n4:cpu,cpuacct:/docker/c1\n",
                f"{CGROUP}/cpu/cpu.cfs_quota_us": "150000\n",
                f"{CGROUP}/cpu/cpu.cfs_period_us": "100000\n",
                f"{CGROUP}/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
            },
            1.5,
            2 * GIB,
        ),
        (  # less is available than the group allows
            {
                "proc/self/cgroup": "0::/\n",
                f"{CGROUP}/memory.max": f"{4 * GIB}\n",
                "proc/meminfo": f"MemAvailable: {GIB // 1024} kB\n",
            },
            None,
            GIB,
        ),
    ],
    ids=["nothing", "no groups", "v2", "v2 nested", "v1", "full"],
)
def test_read_limits(tmp_path, files, cpu_quota, memory_bytes):
    limits = read_limits(with_files(tmp_path, files), {})
    assert limits.cores >= 1
    assert (limits.cpu_quota, limits.memory_bytes, limits.gpus) == (cpu_quota, memory_bytes, ())


def test_gpus_are_those_in_dev_unless_the_environment_says_which(tmp_path):
    root = with_files(tmp_path, {"dev/nvidia0": "", "dev/nvidia1": "", "dev/nvidiactl": ""})
    assert read_limits(root, {}).gpus == ("0", "1")
    assert read_limits(root, {"CUDA_VISIBLE_DEVICES": "1"}).gpus == ("1",)


def test_this_machine_has_room_for_a_worker():
    limits = read_limits()
    assert worker_count(limits) >= 1
    assert limits.memory_bytes is None or limits.memory_bytes > 0


@pytest.mark.parametrize(
    ("cores", "workers", "threads"),
    [(1, 1, 1), (2, 1, 2), (2, 2, 1), (16, 1, 2), (3, 2, 1), (2, 8, 1), (2, 0, 2)],
)
def test_cores_that_no_worker_takes_are_shared_out_up_to_two_each(cores, workers, threads):
    assert thread_count(cores, workers) == threads


@pytest.mark.parametrize(("cores", "quota", "whole"), [(4, None, 4), (4, 2.5, 2), (1, 2.0, 1), (4, 0.5, 1)])
def test_a_core_counts_that_may_be_used_fully(cores, quota, whole):
    assert Limits(cores, quota, None).whole_cores == whole
