"""Check that the smoke run of the tutorial job did what its exit code says: `check_report.py OUTPUT CODE`."""

import json
import sys
from pathlib import Path

output, code = Path(sys.argv[1]), int(sys.argv[2])
if code != 0:
    sys.exit(f"seq2seq-job ended with exit code {code}")
report = json.loads((output / "report.json").read_text(encoding="utf-8"))
(tutorial,) = (job for job in report["jobs"] if job["name"] == "tutorial")
accuracy = tutorial["metrics"]["sequence_accuracy"]
checks = {
    "report.json has exit code 0": report["exit_code"] == 0,
    "the job passed": tutorial["status"] == "passed",
    "it learned": accuracy >= 0.99,
    "its models are there": len(list((output / "jobs" / "tutorial" / "model").glob("*.keras"))) == 3,
}
for name, holds in checks.items():
    print(f"{'ok' if holds else 'NOT OK'}: {name}")
print(f"sequence_accuracy {accuracy}, {tutorial['timings']}")
sys.exit(0 if all(checks.values()) else 1)
