"""`make mutants`: every mechanism of the contract broken in turn, and the row that must notice. The last line is one JSON object."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
MUTANTS = {
    "no-fencing": (23, "slept_past_its_lease and before-store"),
    "no-row-locks": (12, "one_claim_wins"),
    "attempts-counted-afterwards": (14, "poison_is_given_up"),
    "last-attempts-are-shared": (14, "poison_is_given_up"),
    "last-attempts-wait-for-idleness": (14, "last_attempt_has_its_turn"),
    "expired-leases-stay": (2, "killed_workers_rows"),
    "leases-by-the-workers-clock": (20, "only_postgres_clock and not -3600"),
    "messages-expire": (20, "only_postgres_clock and not -3600"),
    "no-renewal": (20, "only_postgres_clock and not -3600"),
    "oldest-first": (26, "other_users_job"),
    "notification-before-commit": (11, "nobody_answered_for"),
    "a-stop-is-ignored": (3, "asked_to_stop and 0.7"),
    "cancelled-work-goes-on": (24, "cancelled_job and running"),
    "tasks-die-with-their-connection": (5, "running_work_goes_on and not no"),
    "no-hard-limit": (15, "hard_limit"),
    "batches-are-not-halved": (16, "batch_is_halved"),
    "chance-from-the-system": (1, "killed_child"),
    "any-version-will-do": (28, "old_workers_drain"),
    "no-watchdog": (7, "takes_no_message"),
    "a-lost-stage-fails-its-job": (1, "killed_process_of_stages"),
    "lost-acknowledgements-keep-their-place": (7, "just_as_a_task_ends"),
    "the-answer-waits-for-the-broker": (7, "broker_is_frozen and 12"),
}


def main() -> int:
    chosen = {name: MUTANTS[name] for name in sys.argv[1:]} or MUTANTS
    noticed = {}
    for name, (row, tests) in chosen.items():
        began = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-k", tests, str(HERE)],
            env={**os.environ, "ADHOP_CHAOS_MUTANT": name, "ADHOP_CHAOS_PATIENCE_S": "45"},
            capture_output=True,
            text=True,
            check=False,
        )
        noticed[name] = run.returncode == 1 and "1 failed" in run.stdout
        reason = next((line[1:].strip() for line in run.stdout.splitlines() if line.startswith("E  ")), "")
        verdict = "noticed" if noticed[name] else f"MISSED (status {run.returncode})"
        print(f"row {row:2d}  {name:34s} {verdict:8s} {time.monotonic() - began:5.0f} s  {reason[:100]}", flush=True)
    print(json.dumps({"noticed": sum(noticed.values()), "mutants": len(noticed)}))
    return not all(noticed.values())


if __name__ == "__main__":
    raise SystemExit(main())
