#!/bin/sh
# Takes out of installed packages what no service ever loads. The argument is their folder.
set -eu
cd "$1"

# Debug information; the libraries that auditwheel put beside a package are rewritten ELF files, which strip may break.
find . -name '*.so' -type f ! -path './*.libs/*' -exec strip --strip-unneeded {} +

# Tests, headers and types are for those who build.
find . -type d \( -name tests -o -name test -o -name include \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.c' \) -delete
rm -rf bin numpy/f2py numpy/_core/_simd.*

# What the services of AWS look like, and Python 2: the SDK of Infisical brings both, and uses neither to log in as it is
# asked to.
rm -rf botocore/data boto3/data boto3/examples aenum/_py2.py

# Second copies: the runtime for those who link it, while the extension module holds its own, and the compressor for
# other Pythons.
rm -f onnxruntime/capi/libonnxruntime.so* zstandard/_cffi.* zstandard/backend_cffi.py
rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/tools
