#!/usr/bin/env bash
# Puts Python with PyTorch and PyTorch Geometric for the CPU into a folder: 560 MB of downloads, 1.5 GB on the disk.
# usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what requirements.txt names.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: fetch.sh FOLDER}
wanted=$({ cat "$here/fetch.sh" "$here/requirements.txt"; python3 --version; } | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

echo "fetching PyTorch and PyTorch Geometric, once" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --requirement "$here/requirements.txt"
packages=$("$folder/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
# PyTorch's CUDA half is loaded with the rest and needs libraries that a CPU never calls: empty ones do, as long as
# functions are bound when they are called, for which TORCH_USE_RTLD_GLOBAL=1 has to be set.
for name in libcublas.so.13 libcublasLt.so.13 libcudnn.so.9 libcufft.so.12 libcufile.so.0 libcurand.so.10 \
    libcusparse.so.12 libcusparseLt.so.0 libnccl.so.2 libnvshmem_host.so.3; do
    echo | cc -shared -fPIC -x c - -o "$packages/torch/lib/$name" -Wl,-soname,"$name"
done
TORCH_USE_RTLD_GLOBAL=1 "$folder/bin/python" -c "import torch_geometric.nn"
echo "$wanted" > "$folder/.fetched"
