"""Log lines as programs of many languages write them, with what must be read of each."""

from inspector.stream.log_line import Level

NEW_YEAR = 1_767_323_045_000_000_000
"""2026-01-02 03:04:05 UTC in ns since the epoch; the tests run in UTC."""

L = Level
LINES: list[tuple[str, Level, float | None, str]] = [
    # the line, its level, its seconds after NEW_YEAR (None: no moment), its message
    ('time=2026-01-02T03:04:05.5Z level=INFO source=types.go:32 msg="inference compute" id=cpu', L.INFO, 0.5, "inference compute id=cpu"),
    ('time="2026-01-02T03:04:06Z" level=warning msg="he said \\"no\\"" k=v', L.WARN, 1, 'he said "no" k=v'),
    ("ts=2026-01-02T03:04:05Z lvl=eror msg=boom", L.ERROR, 0, "boom"),
    ('{"level":"error","ts":1767323045.25,"msg":"cuInit failed"}', L.ERROR, 0.25, '{"level":"error","ts":1767323045.25,"msg":"cuInit failed"}'),
    ('{"level":30,"time":1767323045250,"pid":1,"msg":"hi"}', L.INFO, 0.25, '{"level":30,"time":1767323045250,"pid":1,"msg":"hi"}'),
    ('{"time":"2026-01-02T03:04:05Z","severity":"WARNING","message":"x"}', L.WARN, 0, '{"time":"2026-01-02T03:04:05Z","severity":"WARNING","message":"x"}'),
    ("I0102 03:04:05.500000  1234 file.go:12] message", L.INFO, 0.5, "message"),
    ("E0102 03:04:05.500000  1234 file.go:12] bad", L.ERROR, 0.5, "bad"),
    ("[W1231 03:04:05.500000 CUDAFunctions.cpp:108] Warning: CUDA", L.WARN, -2 * 86400 + 0.5, "Warning: CUDA"),
    ("<11>Jan  2 03:04:05 host prog[12]: went away", L.ERROR, 0, "prog[12]: went away"),
    ("Jan  2 03:04:05 host prog[12]: ERROR: went away", L.ERROR, 0, "prog[12] went away"),
    ("Jan  2 03:04:05 host kernel: NVRM: a GPU", L.UNKNOWN, 0, "kernel: NVRM: a GPU"),
    ("<165>1 2026-01-02T03:04:05.25Z host app 1 id - msg", L.INFO, 0.25, "host app 1 id - msg"),
    ("2026-01-02 03:04:05,250 - vllm.engine - ERROR - engine died", L.ERROR, 0.25, "vllm.engine engine died"),
    ("2026-01-02 03:04:05,250 WARNING mod: text", L.WARN, 0.25, "mod: text"),
    ("WARNING:root:careful", L.WARN, None, "root:careful"),
    ('INFO:     127.0.0.1:1 - "GET / HTTP/1.1" 200 OK', L.INFO, None, '127.0.0.1:1 - "GET / HTTP/1.1" 200 OK'),
    ("INFO 01-02 03:04:05 file.py:12] Using backend", L.INFO, 0, "01-02 03:04:05 file.py:12] Using backend"),
    ("(EngineCore pid=12) ERROR 01-02 03:04:05 core.py: died", L.ERROR, 0, "(EngineCore pid=12) 01-02 03:04:05 core.py: died"),
    ("[2026-01-02 03:04:05.250] [logger] [warning] spd", L.WARN, 0.25, "[logger] spd"),
    ("2026/01/02 03:04:05 [error] 123#0: *1 open() went wrong", L.ERROR, 0, "123#0: *1 open() went wrong"),
    ("[ERROR] plain", L.ERROR, None, "plain"),
    ("2026-01-02T03:04:05.25Z DEBUG crate::x: tracing", L.DEBUG, 0.25, "crate::x: tracing"),
    ("03:04:05.678 [main] ERROR foo - msg", L.ERROR, None, "[main] foo - msg"),
    ("SEVERE: java", L.ERROR, None, "java"),
    ("error: winston", L.ERROR, None, "winston"),
    ("2026-01-02 03:04:05.250 UTC [123] FATAL:  database", L.FATAL, 0.25, "[123] database"),
    ("2026-01-02 03:04:05.250000: E external/cuda_driver.cc:123] cuInit", L.ERROR, 0.25, "external/cuda_driver.cc:123] cuInit"),
    ("2026-01-02 03:04:05.250 [E:onnxruntime:, prov.cc:12 x] Loading", L.ERROR, 0.25, "onnxruntime:, prov.cc:12 x] Loading"),
    ("host:12:13 [0] NCCL INFO Bootstrap", L.INFO, None, "host:12:13 [0] NCCL Bootstrap"),
    ("0.00.123.456 E ggml: no", L.ERROR, None, "ggml: no"),
    ("ggml ERROR: bad", L.ERROR, None, "ggml bad"),
    ("[GIN] 2026/01/02 - 03:04:07 | 200 | 1ms", L.UNKNOWN, 2, "[GIN] 2026/01/02 - 03:04:07 | 200 | 1ms"),
    ('127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /"', L.UNKNOWN, 0, '127.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "GET /"'),
    ("2026-01-02T05:04:05+02:00 x", L.UNKNOWN, 0, "x"),
    ("2026-99-99 03:04:05 x", L.UNKNOWN, None, "x"),
    ("Build finished: 0 ERROR, 3 WARN", L.UNKNOWN, None, "Build finished: 0 ERROR, 3 WARN"),
    ("there was no ERROR found", L.UNKNOWN, None, "there was no ERROR found"),
    ("A note on things", L.UNKNOWN, None, "A note on things"),
    ("no time at all", L.UNKNOWN, None, "no time at all"),
]  # fmt: skip
