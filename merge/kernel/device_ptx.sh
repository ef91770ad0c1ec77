#!/bin/sh
# Compiles the kernels for GPUs with clang 19 of Debian bookworm, and compresses them
# so that equal text gives equal bytes. With an argument the text goes to that file
# instead, to be compared. No CUDA toolkit is needed.
set -eu
cd "$(dirname "$0")"
ptx=${1:-$(mktemp)}
"${CLANG:-clang-19}" -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib \
  -O3 -ffp-contract=off -S native/device/kernels.cu -o "$ptx"
if grep -n -E '\bfma\b|\.extern|\bcall\b' "$ptx"; then
  echo 'the kernels must not fuse a product and a sum, and must not call anything' >&2
  exit 1
fi
[ $# -gt 0 ] || gzip -9 -n -c "$ptx" >device.ptx.gz
