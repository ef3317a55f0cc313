"""What `ops/` has to install a server: unit, settings, image and manifests."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from certificate_authority import CertificateAuthority
from pegcount.config import Config, Tuning

from operations import trial
from operations.trial import REPOSITORY, run_directly, run_under_systemd

OPS = REPOSITORY / "ops"
SERVER, MAINTENANCE = OPS / "kubernetes" / "server", OPS / "kubernetes" / "maintenance"
UNIT, DOCKERFILE = OPS / "pegcount.service", OPS / "Dockerfile"
SETTINGS = [OPS / "pegcount.toml", SERVER / "pegcount.toml"]
BIN = Path(sys.executable).parent
EXPOSURE_MAX = 2.0
"""What systemd calls "OK" begins above that; 0 would be a service that can do nothing."""
LICENCES = re.compile(
    r"Apache|BSD|\bMIT\b|ISC|Python Software Foundation|PSF|Zlib|CC0|Unlicense|MPL-2\.0", re.IGNORECASE
)


def output(*command: str | Path) -> str:
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert process.returncode == 0, f"{command}: {process.stdout}{process.stderr}"
    return process.stdout


def settings_of(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SETTINGS, ids=lambda path: path.parent.name)
def test_the_settings_are_right(path: Path) -> None:
    output(sys.executable, "-m", "pegcount", "config", "check", path)


# ---- The unit ----


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT TESTED: pegcount.service, as systemd is not installed")
    path = tmp_path / UNIT.name
    text, count = re.subn(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")
    return path


def test_systemd_understands_the_unit(unit: Path) -> None:
    process = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_systemd_finds_a_wrong_unit(unit: Path) -> None:
    """The check above would pass anything that systemd does not look at."""
    unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectHome=yes", "ProtectHoem=yes"))
    process = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert "ProtectHoem" in process.stderr


def test_the_unit_exposes_little(unit: Path) -> None:
    printed = output("systemd-analyze", "security", "--no-pager", "--offline=yes", unit)
    level = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", printed)
    assert level is not None, printed
    print(f"\nexposure of pegcount.service: {level[1]} of 10")
    assert float(level[1]) <= EXPOSURE_MAX


def test_systemd_waits_longer_than_a_stop_takes() -> None:
    (seconds,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", UNIT.read_text(encoding="utf-8"))
    assert int(seconds) >= stop_seconds(OPS / "pegcount.toml")


def stop_seconds(settings: Path) -> float:
    """Seconds that a stop takes at most, and as much again for a flush on a slow disk."""
    delay = float(settings_of(settings).get("stop_delay_seconds", 0))
    return 2 * (delay + Config().stop_grace_seconds)


SCRIPT_OF_UNIT = """
umask 077
systemd-sysusers
install -d -o pegcount -g pegcount -m 0700 /var/lib/pegcount
runuser -u pegcount -- /opt/pegcount/bin/pegcount key create --create --data DATA \\
    --name operator --scope root >/run/operator.key
say key "$(wc -c </run/operator.key)"
export PEGCOUNT_API_KEY_FILE=/run/operator.key PEGCOUNT_SERVER=127.0.0.1:50051
sessions() {
    /opt/pegcount/bin/pegcount report usage --from 2026-03-28 --to 2026-03-31 --granularity DAY --json |
        sed -n 's/.*"session_count": \\([0-9]*\\).*/\\1/p' | tail -n 1
}
pid() { systemctl show --property=MainPID --value pegcount; }

systemctl start pegcount
say started "$(systemctl is-active pegcount)"
/opt/pegcount/bin/pegcount import --source trial --format pegcount-csv /opt/trial/pegcount.csv
say sessions "$(sessions)"
first=$(pid)
say user "$(stat --format=%U /proc/$first)"
for name in CapEff CapBnd NoNewPrivs Seccomp; do
    say $name "$(sed -n "s/^$name:\\s*//p" /proc/$first/status)"
done
say niceness "$(ps -L -o ni= -p $first | sort -n | tail -n 1 | tr -d ' ')"
say elsewhere "$(nsenter --target $first --mount touch /etc/pegcount/new 2>&1 | grep -c 'Read-only')"
say home "$(nsenter --target $first --mount ls -A /root | wc -l)"

systemctl reload pegcount
say reloaded "$? $(sessions) $([ "$(pid)" = "$first" ] && echo same)"
kill -KILL "$first"
for _ in $(seq 300); do
    [ "$(pid)" != "$first" ] && systemctl -q is-active pegcount && break
    sleep 0.2
done
say restarted "$([ "$(pid)" != "$first" ] && echo another) $(sessions)"
systemctl stop pegcount
say stopped "$(systemctl show --property=Result --value pegcount) \\
$(systemctl show --property=ExecMainStatus --value pegcount)"
"""


def require_trial() -> None:
    if (reason := trial.obstacle()) is not None:
        pytest.skip(f"NOT TESTED: a server as it is deployed: {reason}")


def test_a_server_works_under_the_unit(tmp_path: Path) -> None:
    """Under a real systemd with all restrictions of the unit: imports, reports, reload, kill, stop."""
    require_trial()
    files = {
        "/etc/systemd/system/pegcount.service": UNIT.read_text(encoding="utf-8"),
        # What sysinit.target waits for, such as disks, is not there.
        "/etc/systemd/system/pegcount.service.d/trial.conf": "[Unit]\nDefaultDependencies=no\n[Service]\n"
        "StandardOutput=append:/opt/trial/shared/service.log\n"
        "StandardError=append:/opt/trial/shared/service.log\n",
        "/usr/lib/sysusers.d/pegcount.conf": (OPS / "pegcount.sysusers").read_text(encoding="utf-8"),
        "/etc/pegcount/pegcount.toml": (OPS / "pegcount.toml").read_text(encoding="utf-8"),
    }
    sample = (REPOSITORY / "samples" / "pegcount.csv").read_text(encoding="utf-8")
    script = SCRIPT_OF_UNIT.replace("DATA", settings_of(OPS / "pegcount.toml")["data"])
    outcome = run_under_systemd(tmp_path, script, {**files, "/opt/trial/pegcount.csv": sample})
    print(f"\nunder systemd: {dict(outcome.said)}")
    none = "0000000000000000"
    assert dict(outcome.said) == dict(outcome.said) | {
        "started": "active",
        "sessions": "46",
        "user": "pegcount",
        "CapEff": none,
        "CapBnd": none,
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "elsewhere": "1",
        "home": "0",
        "reloaded": "0 46 same",
        "restarted": "another 46",
        "stopped": "success 0",
    }, outcome.printed
    assert int(outcome.said["niceness"]) >= Tuning().maintenance_niceness, "it may lower priorities"


# ---- The image ----

DIRECTIVE = re.compile(r"(?m)^([A-Z]+) (.*)$")


def directives(name: str) -> list[str]:
    text = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", "")
    return [match[2] for match in DIRECTIVE.finditer(text) if match[1] == name]


def test_hadolint_accepts_the_dockerfile() -> None:
    assert output(BIN / "hadolint", DOCKERFILE) == ""


def test_the_image_runs_as_the_pod_does() -> None:
    (user,) = directives("USER")
    pod = pod_of("StatefulSet")["securityContext"]
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    (container,) = pod_of("StatefulSet")["containers"]
    assert json.loads(directives("CMD")[0]) == container["args"]
    probe = json.loads(directives("HEALTHCHECK")[0].partition("CMD ")[2])
    assert container["readinessProbe"]["exec"]["command"] == probe
    ports = {str(port["containerPort"]) for port in container["ports"]}
    assert set(directives("EXPOSE")[0].split()) == ports


SCRIPT_OF_IMAGE = """
umask 077
refused=/opt/trial/shared/refused.log
mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs /run/pegcount
mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs /var/lib/pegcount
mount -t tmpfs -o mode=1777 tmpfs /tmp
chown root:65532 /etc/pegcount/tls/tls.key && chmod 0440 /etc/pegcount/tls/tls.key
mount -o remount,ro /
as_user="setpriv --reuid=65532 --regid=65532 --clear-groups --no-new-privs --bounding-set=-all --"
pegcount=/opt/pegcount/bin/pegcount
$as_user $pegcount key create --create --data /var/lib/pegcount/data --name operator --scope root \\
    >/run/pegcount/operator.key
chown 65532:65532 /run/pegcount/operator.key
touch /new 2>/dev/null || say root read-only
$as_user $pegcount serve --config /etc/pegcount/pegcount.toml >/opt/trial/shared/service.log 2>&1 &
until grep -q "listening on unix" /opt/trial/shared/service.log; do
    kill -0 $! || exit 1
    sleep 0.1
done
say user "$(stat --format=%u:%g /proc/$!)"
export PEGCOUNT_API_KEY_FILE=/run/pegcount/operator.key
$as_user $pegcount import --server 127.0.0.1:50051 --ca /etc/pegcount/tls/authority.pem --source trial \\
    --format pegcount-csv /opt/trial/pegcount.csv
$as_user $pegcount info --server unix:/run/pegcount/admin >/opt/trial/shared/info.log && say socket answers
$as_user $pegcount info --server 127.0.0.1:50051 --ca /etc/pegcount/tls/authority.pem >$refused 2>&1
grep -q "address of --admin-listen only" $refused && say admin "at the socket only"
kill -TERM $!
wait $!
say stopped $?
"""


def test_a_server_works_as_the_container_has_it(tmp_path: Path) -> None:
    """With its user, a read-only root, TLS and the settings of the pod."""
    require_trial()
    authority = CertificateAuthority()
    authority.issue().write(tmp_path / "certificate.pem", tmp_path / "key.pem")
    files = {
        "/etc/pegcount/pegcount.toml": (SERVER / "pegcount.toml").read_text(encoding="utf-8"),
        "/etc/pegcount/tls/tls.crt": (tmp_path / "certificate.pem").read_text(encoding="utf-8"),
        "/etc/pegcount/tls/tls.key": (tmp_path / "key.pem").read_text(encoding="utf-8"),
        "/etc/pegcount/tls/authority.pem": authority.certificate.decode(),
        "/opt/trial/pegcount.csv": (REPOSITORY / "samples" / "pegcount.csv").read_text(encoding="utf-8"),
        "/run/pegcount/.keep": "",
        "/var/lib/pegcount/.keep": "",
    }
    outcome = run_directly(tmp_path, SCRIPT_OF_IMAGE, files)
    print(f"\nas a container: {dict(outcome.said)}")
    assert outcome.said == {
        "root": "read-only",
        "user": "65532:65532",
        "socket": "answers",
        "admin": "at the socket only",
        "stopped": "0",
    }, outcome.printed


# ---- Kubernetes ----


def rendered(folder: Path) -> str:
    return output(BIN / "kustomize", "build", folder)


def objects() -> list[dict[str, Any]]:
    texts = [
        rendered(SERVER),
        rendered(MAINTENANCE),
        (OPS / "kubernetes" / "volume.yaml").read_text(encoding="utf-8"),
    ]
    return [found for text in texts for found in yaml.safe_load_all(text)]


def object_of(kind: str) -> dict[str, Any]:
    (found,) = (each for each in objects() if each["kind"] == kind)
    return found


def pod_of(kind: str) -> dict[str, Any]:
    spec: dict[str, Any] = object_of(kind)["spec"]
    return spec if kind == "Pod" else spec["template"]["spec"]


@pytest.mark.parametrize("folder", [SERVER, MAINTENANCE], ids=lambda path: path.name)
def test_kubernetes_knows_each_field(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "rendered.yaml"
    path.write_text(rendered(folder), encoding="utf-8")
    output(BIN / "kubernetes-validate", "--strict", path)


def test_kubernetes_knows_each_field_of_the_volume() -> None:
    output(BIN / "kubernetes-validate", "--strict", OPS / "kubernetes" / "volume.yaml")


@pytest.mark.parametrize("kind", ["StatefulSet", "Pod"])
def test_a_pod_may_do_little(kind: str) -> None:
    """What the "restricted" standard of Kubernetes asks for, and a read-only root."""
    pod = pod_of(kind)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)
        assert "memory" in container["resources"]["limits"]
        version = settings_of(REPOSITORY / "pyproject.toml")["project"]["version"]
        assert container["image"].endswith(f":{version}")


def test_one_pod_owns_the_directory() -> None:
    assert object_of("StatefulSet")["spec"]["replicas"] == 1
    (template,) = object_of("StatefulSet")["spec"]["volumeClaimTemplates"]
    claim = object_of("PersistentVolumeClaim")
    name = f"{template['metadata']['name']}-{object_of('StatefulSet')['metadata']['name']}-0"
    assert claim["metadata"]["name"] == name
    assert claim["spec"] == template["spec"]
    (volume,) = (each for each in pod_of("Pod")["volumes"] if each["name"] == "data")
    assert volume["persistentVolumeClaim"]["claimName"] == name


def test_kubernetes_waits_longer_than_a_stop_takes() -> None:
    assert pod_of("StatefulSet")["terminationGracePeriodSeconds"] >= stop_seconds(SERVER / "pegcount.toml")


def test_ports_of_the_settings_are_those_of_the_pod() -> None:
    settings = settings_of(SERVER / "pegcount.toml")
    (container,) = pod_of("StatefulSet")["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {
        "grpc": int(settings["listen"].rpartition(":")[2]),
        "metrics": int(settings["metrics_listen"].rpartition(":")[2]),
    }
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(Path(path).parent) for path in settings["tls"].values()} <= mounts
    assert str(Path(settings["admin_listen"].removeprefix("unix:")).parent) in mounts
    assert str(Path(settings["data"]).parent) in mounts


# ---- Licences ----


def test_what_is_installed_may_be_distributed() -> None:
    text = (REPOSITORY / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    licences = {name: licence_of(name) for name in re.findall(r"(?m)^([\w.-]+)==", text)}
    print("\n" + "\n".join(f"{name}: {licence}" for name, licence in licences.items()))
    assert {name: text for name, text in licences.items() if not LICENCES.search(text)} == {}


def licence_of(name: str) -> str:
    found = metadata.metadata(name)
    classified = [text for text in found.get_all("Classifier", []) if text.startswith("License ::")]
    fields = ("License-Expression", "License")
    stated = next((found[field] for field in fields if field in found), "")
    return " ".join([stated.partition("\n")[0], *(text.rpartition(":: ")[2] for text in classified)])
