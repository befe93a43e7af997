#!/bin/bash
# Submit a batch as an array of shards, and the merge after it:
#
#   submit.sh SPEC OUTPUT_DIR SHARDS [option of sbatch for the shards]...
#
# OUTPUT_DIR must be on a file system that all nodes share. The exit code of the merge is the batch's; with
# --wait this script waits for it and ends with it.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage="usage: $0 [--wait] SPEC OUTPUT_DIR SHARDS [option of sbatch]..."
wait=
if [[ ${1:-} == --wait ]]; then
  wait=yes
  shift
fi
spec=${1:?$usage} output=${2:?$usage} shards=${3:?$usage}
shift 3

array=$(sbatch --parsable --array="1-$shards" "$@" "$here/array.sbatch" "$spec" "$output")
clusters=()
if [[ $array == *";"* ]]; then  # ID;CLUSTER, with an option --clusters
  clusters=(--clusters="${array#*;}") array=${array%%;*}
fi
echo "shards: job $array"
# afterany, not afterok: where a shard failed, the merged report is what says so.
after=("${clusters[@]}" --dependency="afterany:$array" "$here/merge.sbatch" "$output")
if [[ $wait ]]; then
  exec sbatch --wait "${after[@]}"
fi
echo "merge: job $(sbatch --parsable "${after[@]}")"
