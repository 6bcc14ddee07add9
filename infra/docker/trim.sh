#!/bin/sh
# Takes out of installed packages what no service ever loads. The argument is their folder.
set -eu
cd "$1"

# Debug information; the libraries that auditwheel put beside a package are rewritten ELF files, which strip may break.
find . -name '*.so' -type f ! -path './*.libs/*' -exec strip --strip-unneeded {} +

# Tests, headers and types are for those who build.
find . -type d \( -name tests -o -name test -o -name include \) -prune -exec rm -rf {} +
rm -rf litestar/testing
find . -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.h' -o -name '*.c' \) -delete
rm -rf bin numpy/f2py numpy/_core/_simd.*

# The SDK of Infisical brings what the services of AWS look like and whom they trust, a module of Python 2 that does not
# compile, and time zones; it needs none of these unless it logs in by AWS.
rm -rf botocore/data botocore/cacert.pem boto3/data boto3/examples aenum/_py2.py aenum/test*.py aenum/doc dateutil/zoneinfo/*.tar.gz

# Second copies: the runtime for those who link it, while the extension module holds its own, and the compressor for
# other Pythons.
rm -f onnxruntime/capi/libonnxruntime.so* zstandard/_cffi.* zstandard/backend_cffi.py
rm -rf onnxruntime/transformers onnxruntime/quantization onnxruntime/tools
