#!/usr/bin/env python3
"""Lets the disk fail under the audit log, at every write and every flush, and looks at what is left.

    cargo build -p stack-audit --example audit_load
    audit_faults.py target/debug/examples/audit_load [POINTS [STEP]]

strace makes a system call of the writer fail: writes with "no space left", flushes with "input/output error", or it kills
the process there. After each, the log is opened again without faults, and must have every entry that was acknowledged, without
gaps. Needs strace, and the right to trace. POINTS calls, STEP apart, are made to fail.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

FAULTS = {
    "disk full": ("pwrite64", "error=ENOSPC"),
    "flush fails": ("fdatasync,fsync", "error=EIO"),
    "killed in a write": ("pwrite64", "signal=SIGKILL"),
    "killed in a flush": ("fdatasync,fsync", "signal=SIGKILL"),
}
ACTS = "40"


def run(program, folder, inject=()):
    """Writes to the log, and returns what was acknowledged: hashes by index."""
    trace = ["strace", "-f", "-qq", "-o", "/dev/null", *inject] if inject else []
    result = subprocess.run([*trace, program, folder, "4", ACTS], capture_output=True, text=True, timeout=120)
    lines = [line.split(" ") for line in result.stdout.splitlines()]
    return {int(line[0]): line[1] for line in lines if len(line) == 2 and len(line[1]) == 64}, result


def entries(folder):
    with sqlite3.connect(os.path.join(folder, "audit.db")) as database:
        return {index: hash.hex() for index, hash in database.execute("SELECT idx, hash FROM entry")}


def check(program, name, calls, fault, point):
    """Lets the fault happen at one point; returns whether the run got so far."""
    folder = tempfile.mkdtemp(prefix="audit-faults-")
    try:
        # From there on every write fails, as on a full disk; a flush fails once, and a kill is one anyway.
        when = f"{point}+" if name == "disk full" else str(point)
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}:when={when}"]
        told, faulty = run(program, folder, inject)
        after, sound = run(program, folder)
        if sound.returncode != 0:
            raise SystemExit(f"{name} at {point}: the log does not open again: {sound.stderr}")
        kept = entries(folder)
        lost = {index for index, hash in told.items() if kept.get(index) != hash}
        if lost:
            raise SystemExit(f"{name} at {point}: acknowledged entries {sorted(lost)} are gone")
        if sorted(kept) != list(range(len(kept))):
            raise SystemExit(f"{name} at {point}: the log has a gap")
        return faulty.returncode != 0, len(told)
    finally:
        shutil.rmtree(folder)


def main():
    program, (points, step) = sys.argv[1], [int(number) for number in sys.argv[2:] + ["40", "7"][len(sys.argv) - 2 :]]
    for name, (calls, fault) in FAULTS.items():
        hit = acknowledged = 0
        for point in range(1, points * step + 1, step):
            failed, told = check(program, name, calls, fault, point)
            hit += failed
            acknowledged += told
        print(f"{name}: {points} points, {hit} runs failed, {acknowledged} acknowledged entries, none lost")
        if hit == 0:
            raise SystemExit(f"{name}: no fault was felt; is strace allowed to trace?")


if __name__ == "__main__":
    main()
