"""Separate file systems: an ext4 image with simulated power cuts, and a small tmpfs."""

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waiting import wait_until

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, an ioctl of the kernel."""
_WITHOUT_FLUSHING_THE_LOG = 2
_UNMOUNT_SECONDS_MAX = 60.0
"""On a busy machine, the end of a killed process takes long, as that of its writes to a disk that is cut."""


class PowerCutImage:
    """An ext4 file system in a file, mounted at `mount_point` while power is on.

    A power cut must not be simulated by copying the image during writes: a copy takes time, so it would
    contain late blocks without early ones, which no power cut produces. Instead, an ioctl makes the kernel
    shut the file system down in one step, without writing anything more. Data that has reached the block
    device survives, data in memory is lost, and the next mount replays the log as after a power cut. The
    loop device writes directly to the file and bypasses the page cache of the host file system.
    """

    def __init__(self, file: Path, mount_point: Path, size_mib: int = 256) -> None:
        self._file = file
        self.mount_point = mount_point
        mount_point.mkdir()
        with file.open("wb") as image:
            # Preallocated, so that the host file system never has to grow the file.
            os.posix_fallocate(image.fileno(), 0, size_mib << 20)
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(file))

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """Mounts the image for the duration of the `with` block."""
        device = _run("losetup", "--direct-io=on", "--find", "--show", str(self._file)).strip()
        try:
            _run("mount", device, str(self.mount_point))
        finally:
            # The device detaches at the unmount, even if this process dies before it.
            _run("losetup", "--detach", device)
        try:
            yield self.mount_point
        finally:
            _unmount(self.mount_point)

    def cut(self) -> None:
        """Cuts the power: from now on, writes do not reach the image."""
        directory = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING_THE_LOG))
        finally:
            os.close(directory)

    def sync(self) -> None:
        """Flushes all data in memory to the image."""
        _run("sync", "--file-system", str(self.mount_point))


@contextmanager
def tmpfs(mount_point: Path, size_mib: int) -> Iterator[Path]:
    """Mounts a small file system in memory."""
    mount_point.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "pegcount-faults", str(mount_point))
    try:
        yield mount_point
    finally:
        _unmount(mount_point)


@contextmanager
def mounted_image(file: Path, mount_point: Path, program: str, package: str, size_mib: int) -> Iterator[Path]:
    """Mounts a new file system, which a program of a Debian package makes in a file, or skips the test."""
    if shutil.which(program) is None:
        pytest.skip(f"NOT TESTED: {program}, which apt-get install {package} installs")
    mount_point.mkdir()
    with file.open("wb") as image:
        image.truncate(size_mib << 20)
    _run(program, "-q", str(file))
    try:
        _run("mount", "-o", "loop", str(file), str(mount_point))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: loop devices are not usable: {error.stderr.strip()}")
    try:
        yield mount_point
    finally:
        _unmount(mount_point)


def needs_mounts(directory: Path, *programs: str) -> None:
    """Skips the test, with a reason, if file systems cannot be mounted."""
    missing = [name for name in ("mount", "umount", *programs) if shutil.which(name) is None]
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: mounting needs root")
    if missing:
        pytest.skip(f"NOT TESTED: not installed: {', '.join(missing)}")
    trial = directory / "trial"
    try:
        with tmpfs(trial, 1):
            pass
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: mounts are refused: {error.stderr.strip()}")


def needs_loop_devices(directory: Path) -> None:
    """Skips the test, with a reason, if images cannot be mounted or shut down."""
    needs_mounts(directory, "losetup", "mkfs.ext4")
    image = PowerCutImage(directory / "trial.img", directory / "trial-image", size_mib=16)
    try:
        with image.mounted():
            image.cut()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: loop devices are not usable: {error.stderr.strip()}")
    except OSError as error:
        pytest.skip(f"NOT TESTED: ext4 is not to be shut down: {error.strerror}")
    finally:
        (directory / "trial.img").unlink()


def _unmount(mount_point: Path) -> None:
    try:
        wait_until(lambda: _is_unmounted(mount_point), "the end of its use", _UNMOUNT_SECONDS_MAX, 0.1)
    except AssertionError as error:
        error.add_note(f"used by: {_users(mount_point)}")
        _run("umount", "--lazy", str(mount_point))
        raise


def _is_unmounted(mount_point: Path) -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        _run("umount", str(mount_point))
        return True
    return False


def _users(mount_point: Path) -> list[str]:
    """Returns the processes that have a file of a file system open, or mapped, or are in it."""
    users = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [process / "cwd", *(process / "fd").iterdir(), *(process / "map_files").iterdir()]
            if any(str(os.readlink(each)).startswith(f"{mount_point}/") for each in links):
                name = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                users.add(f"{process.name} {name}")
    return sorted(users)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
