#!/usr/bin/env python3
# Ray, plain Python API, one JSON line per figure {"peer","metric","value","unit"}. Needs: pip install ray numpy.   RAY_CPUS (default: all), SECS per figure (default 3), ROUNDS (default 3)
import json, os, statistics, sys, time
import numpy as np
import ray
from ray.util.placement_group import placement_group, remove_placement_group
SECS = float(os.environ.get("SECS", "3")); ROUNDS = int(os.environ.get("ROUNDS", "3")); CPUS = int(os.environ.get("RAY_CPUS", str(os.cpu_count())))
def emit(metric, value, unit, peer="ray"): print(json.dumps({"peer": peer, "metric": metric, "value": float("%.4g" % value), "unit": unit}), flush=True)
def rate(name, fn, mult=1, unit="1/s"):
    fn()
    out = []
    for _ in range(ROUNDS):
        n = 0; t = time.perf_counter()
        while time.perf_counter() - t < SECS: fn(); n += 1
        out.append(n * mult / (time.perf_counter() - t))
    emit(name, statistics.median(out), unit); return statistics.median(out)
def lat(name, fn, n=300):
    for _ in range(20): fn()
    a = []
    for _ in range(n):
        t = time.perf_counter(); fn(); a.append((time.perf_counter() - t) * 1e6)
    a.sort(); emit(name + "_p50", a[len(a) // 2], "us"); emit(name + "_p99", a[int(len(a) * .99)], "us")
EVENT = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "event.json")))
t0 = time.perf_counter(); ray.init(num_cpus=CPUS, include_dashboard=False, logging_level="ERROR", object_store_memory=4 * 2**30); emit("init", (time.perf_counter() - t0) * 1e3, "ms"); emit("version_" + ray.__version__, 1, "info"); emit("num_cpus", CPUS, "count")
@ray.remote
def noop(): return 0
@ray.remote
def echo(e): return {"statusCode": 200, "headers": {}, "body": e}
@ray.remote
class A:
    def __init__(self): self.v = 0
    def add(self, n): self.v += n; return self.v
    def echo(self, e): return {"statusCode": 200, "headers": {}, "body": e}
@ray.remote
class AsyncA:
    async def add(self, n): return n
t0 = time.perf_counter(); ray.get(noop.remote()); emit("task_first_cold", (time.perf_counter() - t0) * 1e3, "ms")
ray.get([noop.remote() for _ in range(200)])
lat("task_noop_sync", lambda: ray.get(noop.remote()))
rate("task_noop_sync", lambda: ray.get(noop.remote()))
rate("task_noop_async_batch1000", lambda: ray.get([noop.remote() for _ in range(1000)]), 1000)
rate("task_noop_64_in_flight", lambda: ray.get([noop.remote() for _ in range(64)]), 64)
lat("task_echo_873B_sync", lambda: ray.get(echo.remote(EVENT)))
rate("task_echo_873B_64_in_flight", lambda: ray.get([echo.remote(EVENT) for _ in range(64)]), 64)
a = A.remote(); ray.get(a.add.remote(1))
lat("actor_call_sync_1to1", lambda: ray.get(a.add.remote(1)))
rate("actor_call_sync_1to1", lambda: ray.get(a.add.remote(1)))
rate("actor_call_async_1to1_batch1000", lambda: ray.get([a.add.remote(1) for _ in range(1000)]), 1000)
rate("actor_call_echo_873B_64_in_flight", lambda: ray.get([a.echo.remote(EVENT) for _ in range(64)]), 64)
b = AsyncA.options(max_concurrency=64).remote(); ray.get(b.add.remote(1))
rate("async_actor_call_async_1to1_batch1000", lambda: ray.get([b.add.remote(1) for _ in range(1000)]), 1000)
ray.kill(a); ray.kill(b)
Z = A.options(num_cpus=0)
def create_one():
    x = Z.remote(); ray.get(x.add.remote(1)); ray.kill(x)
lat("actor_create_first_call_kill", create_one, 20)
def create_n(n=8):
    xs = [Z.remote() for _ in range(n)]; ray.get([x.add.remote(1) for x in xs]); [ray.kill(x) for x in xs]
rate("actor_create_8_parallel", create_n, 8)
def pg():
    g = placement_group([{"CPU": 0.01}, {"CPU": 0.01}], strategy="PACK"); ray.get(g.ready()); remove_placement_group(g)
lat("placement_group_create_ready_remove", pg, 50)
rate("placement_group_create_ready_remove", pg)
def pgn(n=20):
    gs = [placement_group([{"CPU": 0.001}]) for _ in range(n)]; [g.wait(30) for g in gs]; [remove_placement_group(g) for g in gs]
rate("placement_group_create_remove_batch20", pgn, 20)
rate("placement_group_create_remove_64_in_flight", lambda: pgn(64), 64)
small = b"x" * 1024
refs = [ray.put(small) for _ in range(200)]
rate("put_1KB", lambda: ray.put(small))
rate("get_1KB", lambda: ray.get(refs[0]))
rate("put_get_1KB", lambda: ray.get(ray.put(small)))
big = np.ones(2**30, dtype=np.uint8)
def putbig():
    r = ray.put(big); del r
def timed(fn, n):
    fn(); o = []
    for _ in range(n):
        t = time.perf_counter(); fn(); o.append(time.perf_counter() - t)
    return statistics.median(o)
emit("put_1GB", 1 / timed(putbig, 5), "GiB/s")
ref = ray.put(big); ray.get(ref)
emit("get_1GB_driver", timed(lambda: ray.get(ref), 20) * 1e6, "us")
@ray.remote
def touch(x): return int(x[0])
emit("task_with_1GB_ref_arg", timed(lambda: ray.get(touch.remote(ref)), 20) * 1e3, "ms")
m100 = ray.put(np.ones(100 * 2**20, dtype=np.uint8)); emit("get_100MB_driver", timed(lambda: ray.get(m100), 50) * 1e6, "us"); emit("task_with_100MB_ref_arg", timed(lambda: ray.get(touch.remote(m100)), 50) * 1e3, "ms")
try:  # memory of one idle worker process
    import glob
    rs, ps = [], []
    for d in glob.glob("/proc/[0-9]*"):
        try:
            c = open(d + "/cmdline").read()
            if c.startswith("ray::"):
                s = open(d + "/smaps_rollup").read(); g = lambda k: next(int(l.split()[1]) for l in s.splitlines() if l.startswith(k)) / 1024
                rs.append(g("Rss:")); ps.append(g("Pss:"))
        except Exception: pass
    if rs: emit("worker_rss", statistics.median(rs), "MB"); emit("worker_pss", statistics.median(ps), "MB"); emit("worker_count", len(rs), "count")
except Exception as e: print(e, file=sys.stderr)
ray.shutdown()
