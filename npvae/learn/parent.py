"""Starts `child` with a task, and waits for what it finds."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
PATIENCE = 60  # seconds, after which an answer is taken to have no end


class Broken(Exception):
    """The child ended without findings; carries what it printed."""


def ask(does, patience=PATIENCE, **task):
    """What `run(task, observer)` of the module npvae.learn.<does> finds, in a child.

    Raises subprocess.TimeoutExpired if it has no end, Broken if it ends without findings.
    """
    environment = os.environ | {"NPVAE_KERNELS": "reference", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as scratch:
        task_file, findings = Path(scratch, "task.json"), Path(scratch, "findings.json")
        task |= {"does": does, "findings": str(findings)}
        task_file.write_text(json.dumps(task), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(CHILD), str(task_file)],
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
        )
        if not findings.exists():
            raise Broken(done.stderr or done.stdout)
        return json.loads(findings.read_text(encoding="utf-8"))
