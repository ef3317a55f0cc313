"""Runs a script over a root of its own, with the service installed at /opt/pegcount, as it is deployed."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
_SECONDS_MAX = 300
_NAMESPACES = (
    "--mount",
    "--pid",
    "--fork",
    "--ipc",
    "--uts",
    "--net",
    "--cgroup",
    "--propagation",
    "private",
)
_PLACES = {
    "python": Path(sys.base_prefix),
    "packages": Path(sysconfig.get_path("purelib")),
    "service": REPOSITORY / "python",
    "client": REPOSITORY / "clients" / "python",
}
_COMMAND = f"""#!/bin/sh
export PYTHONHOME=/opt/trial/python PYTHONPATH=/opt/trial/service:/opt/trial/client:/opt/trial/packages
export PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/trial/python/lib
exec /opt/trial/python/bin/python{sys.version_info.major}.{sys.version_info.minor} -m pegcount "$@"
"""
_SCRIPT = "/opt/trial/shared/script"
_UNITS = {
    "trial.target": "[Unit]\nDefaultDependencies=no\nWants=trial.service\n",
    "trial.service": f"""[Unit]
DefaultDependencies=no
FailureAction=exit-force
SuccessAction=exit-force
[Service]
Type=oneshot
StandardOutput=append:/opt/trial/shared/script.log
StandardError=append:/opt/trial/shared/script.log
ExecStart=/bin/bash {_SCRIPT}
""",
}
_SYSTEMD = ("/lib/systemd/systemd", "--system", "--unit=trial.target", "--log-target=null")


@dataclass(frozen=True)
class Outcome:
    """What a script reported by `say NAME VALUE`, and everything that it and the service printed."""

    said: Mapping[str, str]
    printed: str


def obstacle() -> str | None:
    """Returns why nothing can be tried on this machine, None if it can."""
    if os.geteuid() != 0:
        return "only root can make a root of its own"
    if not Path(_SYSTEMD[0]).exists():
        return "systemd is not installed"
    missing = [name for name in ("unshare", "ip", "setpriv", "nsenter") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} is not installed"
    return None if _cgroups() is not None else "cgroups are not mounted"


def run_under_systemd(scratch: Path, script: str, files: Mapping[str, str]) -> Outcome:
    """Runs a script as root in a systemd that starts it and nothing else; `files` are added to the root."""
    units = {f"/etc/systemd/system/{name}": text for name, text in _UNITS.items()}
    return _run(scratch, script, {**files, **units}, _SYSTEMD)


def run_directly(scratch: Path, script: str, files: Mapping[str, str]) -> Outcome:
    """Runs a script as root; `files` are added to the root."""
    return _run(scratch, f"exec >/opt/trial/shared/script.log 2>&1\n{script}", files, ("/bin/bash", _SCRIPT))


def _run(scratch: Path, script: str, files: Mapping[str, str], command: tuple[str, ...]) -> Outcome:
    shared, own = scratch / "shared", scratch / "files"
    shared.mkdir()
    (shared / "script").write_text(
        f'set -u\nsay() {{ echo "$1=$2" >>/opt/trial/shared/said; }}\n{script}', encoding="utf-8"
    )
    for name, text in {**files, "/opt/pegcount/bin/pegcount": _COMMAND}.items():
        path = own / name.removeprefix("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text.startswith("#!") else 0o644)
    with _own_cgroup() as procs, (scratch / "namespace.log").open("wb") as log:
        enter = 'echo $$ >"$1"; shift; exec unshare "$@"'
        root = (str(Path(__file__).with_name("trial_root.sh")), str(scratch), *map(str, _PLACES.values()))
        subprocess.run(
            ["/bin/bash", "-c", enter, "enter", str(procs), *_NAMESPACES, "/bin/bash", *root, *command],
            check=False,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS_MAX,
        )
    logs = [scratch / "namespace.log", *sorted(shared.glob("*.log"))]
    printed = "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')}" for path in logs)
    said = shared / "said"
    lines = said.read_text(encoding="utf-8").splitlines() if said.exists() else []
    return Outcome(dict(line.split("=", 1) for line in lines), printed)


def _cgroups() -> Path | None:
    """Returns where the second version of cgroups is mounted."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


@contextmanager
def _own_cgroup() -> Iterator[Path]:
    """Yields the file of a new cgroup that takes processes; the systemd of a trial sees no other group."""
    parent = _cgroups()
    assert parent is not None
    group = parent / f"pegcount-trial-{os.getpid()}"
    group.mkdir()
    try:
        yield group / "cgroup.procs"
    finally:
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            _remove(folder)
        _remove(group)


def _remove(group: Path) -> None:
    """Removes a cgroup once the kernel has taken the last process out of it."""
    wait_until(lambda: "populated 0" in (group / "cgroup.events").read_text(encoding="utf-8"))
    group.rmdir()
