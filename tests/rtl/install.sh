#!/usr/bin/env bash
# Install Icarus Verilog, the simulator that tests/rtl drives, where it is missing and apt-get can. Never fails:
# without a simulator those tests say so and are skipped.
set -u

if command -v iverilog >/dev/null || command -v verilator >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "tests/rtl: neither iverilog nor verilator found, and no apt-get to install one" >&2
    exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
        echo "tests/rtl: neither iverilog nor verilator found, and no rights to install one" >&2
        exit 0
    fi
    as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
install=("${as_root[@]}" apt-get install -y -qq --no-install-recommends iverilog)
if ! "${install[@]}" >/dev/null 2>&1; then
    "${as_root[@]}" apt-get update -qq >/dev/null 2>&1
    "${install[@]}" >/dev/null 2>&1 || echo "tests/rtl: installing iverilog failed; RTL tests will be skipped" >&2
fi
exit 0
