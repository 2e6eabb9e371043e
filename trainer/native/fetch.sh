#!/usr/bin/env bash
# Puts libtorch for the CPU, ONNX Runtime and Python's checker of models into a folder: 630 MB of downloads, 700 MB on
# the disk. usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what requirements.txt and python.txt name. On a GPU host the trainer takes the CUDA half
# of the PyTorch that is installed there.
set -euo pipefail
[ "$(uname -sm)" = "Linux x86_64" ] || { echo "libtorch is fetched for x86-64 Linux only, this is $(uname -sm)" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: fetch.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# Two builds of one machine must not unpack into each other's files.
exec 9> "$folder/.lock"
flock 9
wanted=$({ cat "$here/fetch.sh" "$here/requirements.txt" "$here/python.txt"; python3 --version || true; } | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

python3 -m pip --version >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y --no-install-recommends python3-pip; }
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "fetching libtorch and ONNX Runtime, once" >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --python-version 3.12 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$work/wheels" --requirement "$here/requirements.txt"
python3 - "$work" <<'PYTHON'
import fnmatch, glob, sys, zipfile

work = sys.argv[1]
WANTED = {
    "torch-*": ("libtorch", ["torch/include/*", "torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1"]),
    "nvidia_cuda_runtime-*": ("libtorch", ["nvidia/cu13/lib/libcudart.so.13"]),
    "nvidia_cuda_cupti-*": ("libtorch", ["nvidia/cu13/lib/libcupti.so.13"]),
    "onnxruntime-*": ("onnxruntime", ["onnxruntime/capi/libonnxruntime.so.*"]),
}
for wheel, (folder, patterns) in WANTED.items():
    [path] = glob.glob(f"{work}/wheels/{wheel}.whl")
    with zipfile.ZipFile(path) as archive:
        for pattern in patterns:
            names = [name for name in archive.namelist() if fnmatch.fnmatch(name, pattern)]
            if not names:
                sys.exit(f"{path} has no {pattern}")
            for name in names:
                archive.extract(name, f"{work}/{folder}")
PYTHON
# The real libtorch.so draws in libtorch_cuda.so and all of CUDA; an empty one is enough for the linker.
echo | cc -shared -fPIC -x c - -o "$work/libtorch/torch/lib/libtorch.so" -Wl,-soname,libtorch.so
echo 2.11.0 > "$work/libtorch/torch/build-version"
mv "$work"/onnxruntime/onnxruntime/capi/libonnxruntime.so.* "$work/onnxruntime/libonnxruntime.so"
rmdir "$work/onnxruntime/onnxruntime/capi" "$work/onnxruntime/onnxruntime"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary=:all: \
    --target "$work/python" --requirement "$here/python.txt"
rm -rf "$folder/libtorch" "$folder/onnxruntime" "$folder/python"
mv "$work/libtorch" "$work/onnxruntime" "$work/python" "$folder/"
echo "$wanted" > "$folder/.fetched"
