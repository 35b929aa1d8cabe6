#!/bin/bash
# A run on Dask workers of "another machine": two network namespaces that are joined by a cable (a pair of virtual
# interfaces). Scheduler and main process are in one, the workers in the other. Needs root and `pip install
# 'binnis[cluster]'`; PYTHON names the interpreter.
#
#     examples/scaling/namespaces.sh CARD [options of binnis run]
set -eu
PYTHON=${PYTHON:-python}
here=binnis_here there=binnis_there port=8786
processes=()

finish() {
    for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
    wait
    ip netns del $here 2>/dev/null || true
    ip netns del $there 2>/dev/null || true
}
trap finish EXIT

ip netns add $here
ip netns add $there
ip link add binnis0 netns $here type veth peer name binnis1 netns $there
ip -n $here addr add 10.77.0.1/24 dev binnis0
ip -n $there addr add 10.77.0.2/24 dev binnis1
for name in $here $there; do ip -n $name link set lo up; done
ip -n $here link set binnis0 up
ip -n $there link set binnis1 up

ip netns exec $here "$PYTHON" -m distributed.cli.dask_scheduler --host 10.77.0.1 --port $port --no-dashboard &
processes+=($!)
ip netns exec $there "$PYTHON" -m distributed.cli.dask_worker tcp://10.77.0.1:$port \
    --host 10.77.0.2 --nworkers 2 --nthreads 1 --no-dashboard &
processes+=($!)
ip netns exec $here "$PYTHON" -c 'from plugin.commands.main import main; main()' run "$@" --scheduler tcp://10.77.0.1:$port
