#!/usr/bin/env bash
# Runs a command over a root of its own: the files of this machine below a layer that ends with the namespace.
# `unshare --mount --pid --fork --ipc --uts --net --cgroup` has to start it, as root.
#   trial_root.sh SCRATCH PYTHON PACKAGES SERVICE CLIENT COMMAND...
set -euo pipefail
scratch=$1 python=$2 packages=$3 service=$4 client=$5
shift 5

layer=$scratch/layer
mkdir -p "$layer"
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
root=$layer/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"

# A unit may hide /home, /root and /tmp, where Python and the project may be.
for place in python packages service client; do
    mkdir -p "$root/opt/trial/$place"
    mount --bind -o ro "${!place}" "$root/opt/trial/$place"
done
mkdir -p "$root/opt/trial/shared"
mount --bind "$scratch/shared" "$root/opt/trial/shared"
cp -r "$scratch/files/." "$root/"
ip link set lo up

# Not chroot: a process in one may make no user namespaces, which a unit asks for.
cd "$root"
mkdir -p opt/trial/outside
pivot_root . opt/trial/outside
umount --lazy /opt/trial/outside
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=trial "$@"
