#!/usr/bin/env bash
# Everything that waits for an accelerator, in one go of about ten minutes: tests, benchmarks, packs of seeds, and the first
# 5,000 steps of the published size.
#
#   bash benchmarks/gpu.sh [results/bench/gpu]
#
# Every part has a limit of its own and the others go on without it; what it said is in PART.txt, its tables are beside it.
# The last line says which parts failed. PYTHON names the interpreter; a try without an accelerator is SIZE=laptop_mlp STEPS=3.
set -u
cd "$(dirname "$0")/.."
out=${1:-results/bench/gpu}
python=${PYTHON:-python}
mkdir -p "$out"
failed=()
part() { # part NAME SECONDS COMMAND...
    local name=$1 seconds=$2
    shift 2
    echo "== $name (at most $seconds s)"
    timeout "$seconds" "$@" > "$out/$name.txt" 2>&1 || failed+=("$name")
    tail -n 12 "$out/$name.txt"
}
part machine 60 "$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available() and torch.cuda.get_device_name())'
part tests 240 "$python" -m pytest -q -n 4 -p no:cacheprovider tests/unit/test_capturable.py tests/unit/test_devices.py tests/unit/test_captured.py tests/unit/test_precision.py
# In a process that has not differentiated on the accelerator: these tests fork, and torch refuses that child.
part resuming 120 "$python" -m pytest -q -n 2 -p no:cacheprovider tests/unit/test_resuming.py
part mlp 90 "$python" benchmarks/training_step.py --size "${SIZE:-paper}" --packs 1 10 --out "$out"
part equivariant 90 "$python" benchmarks/training_step.py --network equivariant --packs 1 10 --out "$out"
part first_steps 300 "$python" benchmarks/first_steps.py --steps "${STEPS:-5000}" --out "$out"
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all parts done; tables are in $out"
