"""deploy/kubernetes, rendered by kustomize, against Kubernetes' schemas and this package's contract."""

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from required_tools import require_kubectl

from job import errors
from job.batch.cluster import Cluster, parse_cluster
from job.batch.shard import Shard, parse_shard
from job.problems.checking import check_jobs
from job.spec.spec_loading import load_located
from job.storage.mirror_thread import STOPPED_SECONDS

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"
FOLDERS = ["base", "cluster", "cluster-kueue", "gpu", "merge", "queue", "store", "store-merge", "store-queue"]
KINDS = {
    "merge": ["Job"],
    "store-merge": ["Job"],
    "store": ["ConfigMap", "Job"],
    "store-queue": ["ConfigMap", "Job"],
    "cluster": ["ConfigMap", "Job", "PersistentVolumeClaim", "Service"],
    "cluster-kueue": ["ConfigMap", "Job", "PersistentVolumeClaim", "Service"],
}
SAVE_SECONDS = 10
OUT_OF_MEMORY = 137

# backoffLimitPerIndex and podReplacementPolicy are on by default since 1.29.
VERSIONS = sorted(
    {
        f"1.{minor}"
        for version in kubernetes_validate.utils.all_versions()
        if (minor := int(version.split(".")[1])) >= 29
    }
)


def rendered(folder):
    return rendered_directory(MANIFESTS / folder)


def rendered_directory(directory):
    require_kubectl()
    command = ["kubectl", "kustomize", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [*yaml.safe_load_all(done.stdout)]


def files(folder):
    """The resources as they stand in the files: also where there is no kubectl."""
    directory = MANIFESTS / folder
    kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
    return [yaml.safe_load((directory / name).read_text()) for name in kustomization["resources"]]


def job_of(resources):
    (found,) = (resource for resource in resources if resource["kind"] == "Job")
    return found


def pod_of(job):
    return job["spec"]["template"]["spec"]


def container_of(job):
    (container,) = pod_of(job)["containers"]
    return container


def variables(container):
    return {variable["name"]: variable["value"] for variable in container["env"]}


@pytest.fixture(scope="module")
def job():
    return job_of(files("base"))


@pytest.fixture(scope="module", params=["base", "merge"])
def any_job(request):
    return job_of(files(request.param))


# --- schemas ------------------------------------------------------------------------------------------------


def test_there_are_schemas_of_several_versions():
    assert len(VERSIONS) >= 5
    assert "1.29" in VERSIONS


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_kustomize_renders_fits_the_published_schemas(folder):
    resources = rendered(folder)
    kinds = sorted(resource["kind"] for resource in resources)
    assert kinds == KINDS.get(folder, ["ConfigMap", "Job", "PersistentVolumeClaim"])
    for version in VERSIONS:
        for resource in resources:
            assert kubernetes_validate.validate(resource, version, strict=True) == version


@pytest.mark.parametrize("folder", ["base", "merge"])
def test_the_files_fit_the_published_schemas(folder):
    for resource in files(folder):
        assert kubernetes_validate.validate(resource, VERSIONS[-1], strict=True) == VERSIONS[-1]


def test_the_schemas_do_find_a_misspelt_key(job):
    wrong = {**job, "spec": {**job["spec"], "backofLimitPerIndex": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="backofLimitPerIndex"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


# --- exit codes ---------------------------------------------------------------------------------------------


def action_for(job, code, conditions=()):
    """Return what Kubernetes does about a container that left with `code`."""
    for rule in job["spec"]["podFailurePolicy"]["rules"]:
        for wanted in rule.get("onPodConditions", []):
            assert wanted["status"] == "True"
            if wanted["type"] in conditions:
                return rule["action"]
        if codes := rule.get("onExitCodes"):
            assert codes["containerName"] == container_of(job)["name"]
            if (code in codes["values"]) == (codes["operator"] == "In"):
                return rule["action"]
    return "Count"


def test_the_rules_stand_in_the_order_that_decides(job):
    actions = [rule["action"] for rule in job["spec"]["podFailurePolicy"]["rules"]]
    assert actions == ["Ignore", "FailJob", "FailIndex", "Count"]


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (errors.FAILED, "Count"),
        (errors.BAD_USAGE, "FailJob"),
        (errors.GATE_FAILED, "FailIndex"),
        (errors.BAD_BASELINE, "FailIndex"),
        (errors.SIGHUP_EXIT, "Count"),
        (errors.SIGINT_EXIT, "Count"),
        (errors.SIGTERM_EXIT, "Count"),
        (OUT_OF_MEMORY, "Count"),
    ],
)
def test_what_becomes_of_each_exit_code(job, code, action):
    assert action_for(job, code) == action
    assert action_for(job, code, ["DisruptionTarget"]) == "Ignore"


def test_every_exit_code_but_0_is_accounted_for():
    tested = test_what_becomes_of_each_exit_code.pytestmark[0].args[1]
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert codes == {errors.OK} | {code for code, _ in tested} - {OUT_OF_MEMORY}


def test_a_shard_is_tried_again_on_its_own_and_never_twice_at_once(job):
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["backoffLimitPerIndex"] >= 1
    assert spec["podReplacementPolicy"] == "Failed"
    assert "maxFailedIndexes" not in spec  # one bad shard stops no other
    assert pod_of(job)["restartPolicy"] == "Never"  # what a podFailurePolicy asks for


def test_there_is_time_to_save(job):
    assert pod_of(job)["terminationGracePeriodSeconds"] >= 2 * SAVE_SECONDS


# --- shards -------------------------------------------------------------------------------------------------


def test_the_program_finds_its_shard(job):
    container, completions = container_of(job), job["spec"]["completions"]
    assert variables(container)["JOB_COMPLETIONS"] == str(completions)
    arguments = container["args"]
    assert arguments[arguments.index("--shard") + 1] == "auto"
    found = [
        parse_shard("auto", {**variables(container), "JOB_COMPLETION_INDEX": str(index)})
        for index in range(completions)
    ]
    assert found == [Shard(index + 1, completions) for index in range(completions)]


def test_the_spec_in_the_config_map_is_a_valid_one_with_work_for_every_shard(job):
    kustomization = yaml.safe_load((MANIFESTS / "base" / "kustomization.yaml").read_text())
    (generator,) = kustomization["configMapGenerator"]
    (name,) = generator["files"]
    located = load_located(MANIFESTS / "base" / name)
    _, complaints = check_jobs(located)
    assert [*located.complaints, *complaints] == []
    assert len(located.spec.jobs) >= job["spec"]["completions"]
    mounted = mounts(job)["/spec"]
    assert mounted["configMap"]["name"] == generator["name"]
    assert f"/spec/{name}" in container_of(job)["args"]


def mounts(job):
    """Return the volume that lies at each path of the container."""
    volumes = {volume["name"]: volume for volume in pod_of(job)["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container_of(job)["volumeMounts"]}


def test_shards_and_merge_share_one_volume_and_write_nowhere_else(job):
    merge = job_of(files("merge"))
    (claim,) = (resource for resource in files("base") if resource["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for each in (job, merge):
        assert mounts(each)["/output"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert "emptyDir" in mounts(each)["/tmp"]
        assert "/output" in container_of(each)["args"]
        assert variables(container_of(each))["HOME"] == "/tmp"
    assert container_of(merge)["args"][0] == "report"


def test_shards_without_a_shared_volume_and_their_merge_meet_in_one_store():
    base, store, merge = (job_of(rendered(folder)) for folder in ("base", "store", "store-merge"))
    stores = {variables(container_of(each))["SEQ2SEQ_JOB_STORE"] for each in (store, merge)}
    assert len(stores) == 1
    assert stores.pop().startswith("s3://")
    for each in (store, merge):
        assert "emptyDir" in mounts(each)["/output"]
        assert "/output" in container_of(each)["args"]
    assert container_of(store)["args"] == container_of(base)["args"]
    assert store["spec"]["podFailurePolicy"] == base["spec"]["podFailurePolicy"]
    assert pod_of(store)["terminationGracePeriodSeconds"] >= SAVE_SECONDS + 2 * STOPPED_SECONDS


def test_nodes_of_a_queue_without_a_shared_volume_meet_in_the_store():
    queue, shared, store = (job_of(rendered(folder)) for folder in ("store-queue", "queue", "store"))
    assert container_of(queue)["args"] == container_of(shared)["args"]
    container_of(queue)["args"] = container_of(store)["args"]
    assert queue == store


def test_the_document_names_the_folders_of_the_store():
    lines = (MANIFESTS.parents[1] / "docs" / "stores.md").read_text("utf-8").splitlines()
    named = [line.rpartition("/")[2] for line in lines if line.startswith("kubectl apply -k ")]
    assert named == ["store", "store-merge"]


# --- a cluster ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def together():
    """The resources of the variant whose pods train one model, by kind."""
    return {resource["kind"]: resource for resource in rendered("cluster")}


def test_the_pods_of_a_cluster_find_each_other(together):
    """Pod I has the host name JOB-I, which the service that its subdomain names puts into DNS."""
    job, service = together["Job"], together["Service"]
    container, completions = container_of(job), job["spec"]["completions"]
    arguments = container["args"]
    assert arguments[arguments.index("--cluster") + 1] == "auto"
    assert "--shard" not in arguments
    assert pod_of(job)["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"  # without an address of its own: names of pods
    assert service["spec"]["publishNotReadyAddresses"] is True
    label, name = job["metadata"]["name"], service["metadata"]["name"]
    assert service["spec"]["selector"] == {"batch.kubernetes.io/job-name": label}  # which the Job sets
    (port,) = service["spec"]["ports"]
    expected = tuple(f"{label}-{index}.{name}:{port['port']}" for index in range(completions))
    for index in range(completions):
        environment = {**variables(container), "JOB_COMPLETION_INDEX": str(index)}
        assert parse_cluster("auto", environment) == Cluster(expected, index)


def test_pods_that_stop_because_another_was_evicted_begin_again(together):
    job = together["Job"]
    assert action_for(job, errors.SIGTERM_EXIT) == "Ignore"
    plain = job_of(rendered("base"))
    for code in (errors.FAILED, errors.BAD_USAGE, errors.GATE_FAILED, errors.BAD_BASELINE, OUT_OF_MEMORY):
        assert action_for(job, code) == action_for(plain, code)


def test_the_spec_of_a_cluster_trains_together(together):
    located = load_located(MANIFESTS / "cluster" / "jobs.yaml")
    _, complaints = check_jobs(located)
    assert [*located.complaints, *complaints] == []
    assert {job.training.distribution for job in located.spec.jobs} == {"multi_worker"}
    assert together["ConfigMap"]["data"]["jobs.yaml"] == (MANIFESTS / "cluster" / "jobs.yaml").read_text()


# --- Kueue --------------------------------------------------------------------------------------------------

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"


@pytest.mark.parametrize("folder", ["base", "cluster", "gpu", "queue", "store"])
def test_every_variant_can_wait_in_a_queue(folder, tmp_path):
    """The component adds a label, the suspension, and a rule; the pods stay as they are."""
    plain = job_of(rendered(folder))
    places = {name: os.path.relpath(MANIFESTS / name, tmp_path) for name in (folder, "kueue")}
    patch = "- {op: replace, path: /metadata/labels/kueue.x-k8s.io~1queue-name, value: mine}"
    overlay = {
        "resources": [places[folder]],
        "components": [places["kueue"]],
        "patches": [{"target": {"kind": "Job"}, "patch": patch}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    job = job_of(rendered_directory(tmp_path))
    for version in VERSIONS:
        assert kubernetes_validate.validate(job, version, strict=True) == version
    assert job["metadata"]["labels"].pop(QUEUE_LABEL) == "mine"
    assert job["spec"].pop("suspend") is True
    assert action_for(job, errors.SIGTERM_EXIT) == "Ignore"
    assert pod_of(job)["terminationGracePeriodSeconds"] >= 2 * SAVE_SECONDS
    del job["spec"]["podFailurePolicy"]["rules"][1]
    assert job == plain


def test_pods_of_a_cluster_in_a_queue_save_when_they_are_preempted():
    """Kueue suspends the Job, and whoever gets SIGTERM leaves with 143: it is not counted as a failure."""
    job = job_of(rendered("cluster-kueue"))
    assert job["metadata"]["labels"][QUEUE_LABEL]
    assert job["spec"]["suspend"] is True
    plain = job_of(rendered("cluster"))
    for code in (errors.FAILED, errors.BAD_USAGE, errors.GATE_FAILED, errors.SIGTERM_EXIT, OUT_OF_MEMORY):
        assert action_for(job, code) == action_for(plain, code)


# --- safety -------------------------------------------------------------------------------------------------


def test_pods_meet_the_restricted_pod_security_standard(any_job):
    pod, container = pod_of(any_job), container_of(any_job)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_pods_say_what_they_need(any_job):
    resources = container_of(any_job)["resources"]
    for kind in ("requests", "limits"):
        assert {"cpu", "memory", "ephemeral-storage"} <= resources[kind].keys()


def test_the_gpu_variant_differs_in_its_device_alone():
    plain, gpu = job_of(rendered("base")), job_of(rendered("gpu"))
    resources = container_of(gpu)["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == 1
    assert "nvidia.com/gpu" not in container_of(plain)["resources"]["limits"]
    assert pod_of(gpu)["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert gpu["spec"]["podFailurePolicy"] == plain["spec"]["podFailurePolicy"]
    for each in (plain, gpu):
        del container_of(each)["resources"], container_of(each)["image"]
    assert container_of(gpu) == container_of(plain)
