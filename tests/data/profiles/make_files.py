#!/usr/bin/env python3
"""Writes the profiles of this folder and expected.json, what Python's own readers find in them.

The layouts are those that Nsight Compute, Nsight Systems and PyTorch's profiler write; the numbers are made up.
cpu_real.json.gz is no work of this script: PyTorch 2.15 recorded it on a CPU (two steps of a small attention layer),
and only its host's name was taken out. Files that stand in no expected.json were written by hand: shapes in which
profilers' output also comes, each with its right values in a test.
usage: make_files.py   (in this folder)
"""
import collections
import decimal
import gzip
import json
import os

os.chdir(os.path.dirname(os.path.abspath(__file__)))
expected = {}


def cell(text):
    return '"' + str(text).replace('"', '""') + '"'


def write(name, text):
    with open(name, "w", encoding="utf-8", newline="") as out:
        out.write(text)


# ---------------------------------------------------------------- Nsight Compute
GEMM = "void gemm_kernel<float, 128, (int)8>(const float *, const float *, float *, int)"
LAUNCHES = [  # name, grid, block, ns, registers, shared, DRAM read, DRAM written, adds, multiplications, multiply-adds
    ("flash2_d64", (16, 32, 1), (128, 1, 1), 1215000, 96, 49152, 27595520, 16777216, 1000000, 2000000, 4294967296),
    (GEMM, (64, 64, 1), (256, 1, 1), 117344, 128, 16384, 33554432, 8388608, 0, 0, 1073741824),
    ("flash2_d64", (16, 32, 1), (128, 1, 1), 1195002, 96, 49152, 27000000, 16000001, 1000000, 2000000, 4294967296),
]
PREAMBLE = ('==PROF== Connected to process 4711 (/opt/bin/attention, "quoted)\n'
            "step 1, loss 2.5; he said \"never\n"
            "[INFO] not JSON\n"
            '==PROF== Profiling "flash2_d64" - 0: 0%....50%....100% - 38 passes\n'
            "==PROF== Disconnected from process 4711\n")
LONG = ["ID", "Process ID", "Process Name", "Host Name", "Kernel Name", "Context", "Stream", "Block Size", "Grid Size",
        "Device", "CC", "Section Name", "Metric Name", "Metric Unit", "Metric Value", "Rule Name", "Rule Type",
        "Rule Description", "Estimated Speedup Type", "Estimated Speedup"]


def american(value, digits=0):
    return f"{value:,.{digits}f}"


def european(value, digits=0):
    return american(value, digits).translate(str.maketrans(",.", ".,"))


def ncu_rows(header, metrics_of, number):
    lines = [",".join(map(cell, header))]
    for index, launch in enumerate(LAUNCHES):
        values = {"ID": index, "Process ID": 4711, "Process Name": "attention", "Host Name": "host",
                  "Kernel Name": launch[0], "Context": 1, "Stream": 7, "Block Size": "(%d, %d, %d)" % launch[2],
                  "Grid Size": "(%d, %d, %d)" % launch[1], "Device": 0, "CC": "8.0"}
        for section, name, unit, value in metrics_of(launch, number):
            row = dict(values, **{"Section Name": section, "Metric Name": name, "Metric Unit": unit,
                                  "Metric Value": value})
            lines.append(",".join(cell(row.get(column, "")) for column in header))
    return "\n".join(lines) + "\n"


def details(launch, number):
    sol, memory, start = "GPU Speed Of Light Throughput", "Memory Workload Analysis", "Launch Statistics"
    seconds = launch[3] * 1e-9
    return [(sol, "DRAM Frequency", "hz", number(1215000000, 2)),
            (sol, "Memory Throughput", "%", number(45.7, 1)),
            (sol, "DRAM Throughput", "%", number(45.7, 1)),
            (sol, "Duration", "ns", number(launch[3])),
            (sol, "Compute (SM) Throughput", "%", number(61.25, 2)),
            (memory, "Memory Throughput", "byte/second", number((launch[6] + launch[7]) / seconds, 2)),
            (start, "Registers Per Thread", "register/thread", number(launch[4])),
            (start, "Static Shared Memory Per Block", "Kbyte/block", number(launch[5] / 1000, 3)),
            (start, "Dynamic Shared Memory Per Block", "byte/block", number(0)),
            ("Occupancy", "Achieved Occupancy", "%", number(37.5, 2)),
            ("Occupancy", "Block Limit SM", "block", "n/a"),
            ("SpeedOfLight", "", "", "")]


def counters(launch, number):
    section = "Command line profiler metrics"
    op = "smsp__sass_thread_inst_executed_op_%s_pred_on.sum"
    return [(section, "gpu__time_duration.sum", "usecond", number(launch[3] / 1000, 3)),
            (section, "dram__bytes_read.sum", "Mbyte", number(launch[6] / 1e6, 6)),
            (section, "dram__bytes_write.sum", "Kbyte", number(launch[7] / 1e3, 3)),
            (section, "lts__t_sectors_op_read.sum", "sector", number(launch[6] / 32, 2)),
            (section, "l1tex__data_bank_conflicts_pipe_lsu_mem_shared.sum", "", number(1024)),
            (section, "sm__warps_active.avg.pct_of_peak_sustained_active", "%", number(37.5, 2)),
            (section, op % "fadd", "inst", number(launch[8])),
            (section, op % "fmul", "inst", number(launch[9])),
            (section, op % "ffma", "inst", number(launch[10]))]


def european_counters(launch, number):
    section = "Command line profiler metrics"
    return [(section, "gpu__time_duration.sum", "usecond", number(launch[3] / 1000, 3)),
            (section, "dram__bytes_read.sum", "byte", number(launch[6])),
            (section, "dram__bytes_write.sum", "byte", number(launch[7]))]


SHORT = [column for column in LONG[:15] if column not in ("Block Size", "Grid Size", "Device", "CC")]
write("ncu_details.csv", PREAMBLE + ncu_rows(LONG, details, american))
write("ncu_metrics.csv", "==PROF== Connected\n" + ncu_rows(SHORT, counters, american))
write("ncu_european.csv", "\ufeff" + ncu_rows(LONG[:15], european_counters, european).replace('","', '";"'))
write("ncu_ambiguous.csv", ncu_rows(SHORT, lambda l, n: [("S", "gpu__time_duration.sum", "nsecond", "2,848")], american))
write("ncu_strange_unit.csv",
      ncu_rows(SHORT, lambda l, n: [("S", "gpu__time_duration.sum", "fortnight", "2"),
                                    ("S", "dram__bytes_read.sum", "byte", "1,5x")], american))
write("ncu_no_value.csv", ncu_rows(LONG[:14], counters, american))
RAW = LONG[:11] + ["device__attribute_display_name", "gpu__time_duration.sum", "dram__bytes_read.sum",
                   "dram__bytes_write.sum", "launch__registers_per_thread", "launch__shared_mem_per_block_static",
                   "sm__inst_executed_pipe_tensor.sum"]
UNITS = [""] * 12 + ["us", "Mbyte", "Mbyte", "register/thread", "Kbyte/block", "inst"]
rows = [RAW, UNITS]
for index, launch in enumerate(LAUNCHES):
    rows.append([index, 4711, "attention", "host", launch[0], 1, 7, "(%d, %d, %d)" % launch[2], "(%d, %d, %d)" % launch[1],
                 0, "8.0", "NVIDIA A100-SXM4-80GB", american(launch[3] / 1000, 3), american(launch[6] / 1e6, 6),
                 american(launch[7] / 1e6, 6), launch[4], american(launch[5] / 1000, 3), 65536 if index == 1 else 0])
write("ncu_raw.csv", "==PROF== Connected\r\n" + "\r\n".join(",".join(map(cell, row)) for row in rows) + "\r\n")


def sums(launches):
    table = collections.OrderedDict()
    for name, ns in launches:
        entry = table.setdefault(name, {"launches": 0, "ns": 0})
        entry["launches"] += 1
        entry["ns"] += ns
    return table


ncu = sums((l[0], l[3]) for l in LAUNCHES)
for name in ("ncu_details.csv", "ncu_metrics.csv", "ncu_european.csv", "ncu_raw.csv"):
    expected[name] = {"kernels": ncu}

# ---------------------------------------------------------------- Nsight Systems
NSYS_PREAMBLE = ("\nNOTICE: Existing SQLite export found: reports/x.sqlite\n"
                 "        It is assumed file was previously exported from: reports/x.nsys-rep\n"
                 "        Consider using --force-export=true if needed.\n\n"
                 "Processing [reports/x.sqlite] with [/opt/nsight/reports/cuda_gpu_trace.py]... \n")
GPU = "NVIDIA A100-SXM4-80GB (1)"
TRACE = [  # start, duration, grid, block, registers, static, dynamic, bytes, stream, name; not in order of time
    (9961685, 2707098, (1, 1, 2304), (128, 1, 1), 160, 0, 25000, None, 7, "void attention<float, 64>(float *, int)"),
    (9695093, 265888, (1, 1, 2304), (128, 1, 1), 137, 1000, 7000, None, 7, "softmax_kernel"),
    (9000001, 12345, None, None, None, None, None, 33554000, 13, "[CUDA memcpy Host-to-Device]"),
    (9100000, 999, None, None, None, None, None, 4096000, 7, "[CUDA memset]"),
    (14000000, 265112, (8, 1, 1), (256, 1, 1), 32, 0, 0, None, 13, "softmax_kernel"),
]


def trace_table(header, scale, digits, green, quote_all=False):
    lines = [header]
    for start, ns, grid, block, registers, static, dynamic, size, stream, name in TRACE:
        def megabytes(value):
            return "" if value is None else f"{value / 1e6:.3f}"
        row = [f"{start / scale:.{digits}f}", f"{ns / scale:.{digits}f}", "101"]
        row += [str(n) for n in (grid or ("", "", ""))] + [str(n) for n in (block or ("", "", ""))]
        row += ["" if registers is None else str(registers), megabytes(static), megabytes(dynamic), megabytes(size)]
        row += ["" if size is None else f"{size / ns * 1000:.3f}", "Pageable" if size else "", "Device" if size else ""]
        row += [GPU, "1"] + ([""] if green else []) + [str(stream), name]
        lines.append(",".join(cell(c) if "," in c or quote_all else c for c in row))
    return "\n".join(lines) + "\n"


HEAD = ("Start ({t}),Duration ({t}),CorrId,GrdX,GrdY,GrdZ,BlkX,BlkY,BlkZ,Reg/Trd,StcSMem (MB),DymSMem (MB),Bytes (MB),"
        "Throughput ({r}),SrcMemKd,DstMemKd,Device,Ctx,{g}Strm,Name")
write("nsys_gpu_trace.csv",
      NSYS_PREAMBLE + trace_table(HEAD.format(t="ns", r="MB/s", g="GreenCtx,"), 1, 0, True))
write("nsys_gpu_trace_usec.csv",
      "Generating SQLite file x.sqlite\n" + trace_table(HEAD.format(t="us", r="MBps", g=""), 1000, 3, False))
SUMS = [("void attention<float, 64>(float *, int)", [2707098]), ("softmax_kernel", [265888, 265112, 265000])]


def sum_table(median):
    lines = ["Time (%),Total Time (ns),Instances,Avg (ns)," + ("Med (ns)," if median else "") +
             "Min (ns),Max (ns),StdDev (ns),Name"]
    everything = sum(sum(times) for _, times in SUMS)
    for name, times in SUMS:
        row = [f"{100 * sum(times) / everything:.1f}", str(sum(times)), str(len(times)), f"{sum(times) / len(times):.1f}"]
        row += [f"{sorted(times)[len(times) // 2]:.1f}"] if median else []
        row += [str(min(times)), str(max(times)), "0.0", cell(name) if "," in name else name]
        lines.append(",".join(row))
    return "\n".join(lines) + "\n"


write("nsys_kern_sum.csv", "Processing [x.sqlite] with [cuda_gpu_kern_sum.py]...\n" + sum_table(True))
write("nsys_kern_sum_old.csv", sum_table(False).replace("Time (%)", "Time(%)"))
write("nsys_both.csv", "Processing [x.sqlite] with [cuda_gpu_kern_sum.py]...\n" + sum_table(True) +
      "\nProcessing [x.sqlite] with [cuda_gpu_trace.py]...\n" +
      trace_table(HEAD.format(t="ns", r="MB/s", g="GreenCtx,"), 1, 0, True))
write("nsys_no_duration.csv", sum_table(True).replace("Total Time (ns)", "Total Time (furlongs)"))
trace_sums = sums((row[9], row[1]) for row in TRACE if not row[9].startswith("["))
for name in ("nsys_gpu_trace.csv", "nsys_gpu_trace_usec.csv", "nsys_both.csv"):
    expected[name] = {"kernels": trace_sums}
for name in ("nsys_kern_sum.csv", "nsys_kern_sum_old.csv"):
    expected[name] = {"kernels": {n: {"launches": len(t), "ns": sum(t)} for n, t in SUMS}}

# ---------------------------------------------------------------- PyTorch / Kineto
BASE = 1790857026000000000
FLASH = ("void pytorch_flash::flash_fwd_kernel<pytorch_flash::Flash_fwd_kernel_traits<64, 128, 128, 4, false, false, "
         "cutlass::half_t>, false, true>(pytorch_flash::Flash_fwd_params)")
ADD = ("void at::native::vectorized_elementwise_kernel<4, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul> >"
       "(int, at::native::CUDAFunctor_add<float>, std::array<char*, 3ul>)")


def kernel(name, ts, dur, stream=7, device=0, **more):
    args = {"External id": 17, "queued": 0, "device": device, "context": 1, "stream": stream, "correlation": 17,
            "registers per thread": 32, "shared memory": 0, "blocks per SM": 1.185185, "warps per SM": 4.740741,
            "grid": [128, 1, 1], "block": [128, 1, 1], "est. achieved occupancy %": 7}
    args.update(more)
    return {"ph": "X", "cat": "kernel", "name": name, "pid": device, "tid": stream, "ts": ts, "dur": dur, "args": args}


def nccl(ts, dur, name="ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)", **more):
    args = {"Collective name": "allreduce", "In msg nelems": 8388608, "Out msg nelems": 8388608, "Group size": 4,
            "dtype": "BFloat16", "Process Group Ranks": "[0, 1, 2, 3]", "Seq": 3}
    args.update(more)
    return kernel(name, ts, dur, stream=20, **args)


class Exact(float):
    """A number that JSON shows with the digits it was given."""
    def __new__(cls, digits):
        self = float.__new__(cls, digits)
        self.digits = digits
        return self

    def __repr__(self):
        return self.digits


def dump(value):
    """As json.dumps, with Exact numbers in their own digits: json would print a double."""
    if isinstance(value, Exact):
        return value.digits
    if isinstance(value, dict):
        return "{" + ", ".join(json.dumps(k) + ": " + dump(v) for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value)


def layout(events, head='"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "NVIDIA A100-SXM4-80GB", '
                        '"totalGlobalMem": 84974239744, "computeMajor": 8, "numSms": 108}], '
                        '"distributedInfo": {"backend": "nccl", "rank": 0, "world_size": 4}, "displayTimeUnit": "ms", '
                        f'"baseTimeNanoseconds": {BASE}'):
    return "{\n  " + head + ',\n  "traceEvents": [\n  ' + ",\n  ".join(map(dump, events)) + '\n  ],\n  "traceName": "t.json"\n}\n'


T0 = 4778453014362
EVENTS = [
    {"ph": "M", "name": "process_name", "ts": Exact(f"{T0}.195"), "pid": 0, "tid": 0, "args": {"name": "python3"}},
    {"ph": "X", "cat": "cpu_op", "name": "aten::add, with \"quotes\"", "pid": 15021, "tid": 15021,
     "ts": Exact(f"{T0}.483"), "dur": Exact("428.995"), "args": {"Input Dims": [[2, 3], []], "note": "{[\"not\"]}"}},
    kernel(ADD, Exact(f"{T0 + 100}.001"), Exact("10.500")),
    kernel(FLASH, Exact(f"{T0 + 120}.000"), Exact("100.003"), **{"shared memory": 49152, "registers per thread": 255}),
    # args before cat, unusual but legal
    {"args": {"stream": 7, "grid": [4096, 2, 1], "block": [256, 1, 1]}, "ts": Exact(f"{T0 + 300}.5"), "dur": 3, "pid": 0,
     "tid": 7, "name": ADD, "cat": "kernel", "ph": "X"},
    {"ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD (Pageable -> Device)", "pid": 0, "tid": 7,
     "ts": Exact(f"{T0 + 50}.000"), "dur": Exact("20.000"),
     "args": {"device": 0, "context": 1, "stream": 7, "bytes": 409600, "memory bandwidth (GB/s)": 20.48}},
    {"ph": "X", "cat": "gpu_memset", "name": "Memset (Device)", "pid": 0, "tid": 7, "ts": Exact(f"{T0 + 80}.000"),
     "dur": Exact("1.250"), "args": {"device": 0, "stream": 7, "bytes": 1024}},
    nccl(Exact(f"{T0 + 150}.000"), Exact("100.000")),
    nccl(Exact(f"{T0 + 400}.000"), Exact("80.000")),
    nccl(Exact(f"{T0 + 500}.000"), Exact("40.000"), "ncclDevKernel_AllGather_RING_LL(ncclDevKernelArgsStorage<4096ul>)",
         **{"Collective name": "_allgather_base", "In msg nelems": 1000000, "Out msg nelems": 4000000, "dtype": "Float"}),
    {"ph": "X", "cat": "gpu_user_annotation", "name": "step", "pid": 0, "tid": 7, "ts": Exact(f"{T0 + 99}.999"),
     "dur": Exact("300.002"), "args": {}},
    {"ph": "s", "id": 5, "pid": 15021, "tid": 15021, "ts": Exact(f"{T0 + 1}.1"), "cat": "ac2g", "name": "ac2g"},
    {"ph": "f", "id": 5, "pid": 0, "tid": 7, "ts": Exact(f"{T0 + 100}.001"), "cat": "ac2g", "name": "ac2g", "bp": "e"},
    {"ph": "X", "cat": "Trace", "name": "PyTorch Profiler (0)", "pid": "Spans", "tid": "PyTorch Profiler",
     "ts": Exact(f"{T0}.000"), "dur": Exact("999.000"), "args": {"Op count": 0}},
    {"ph": "C", "cat": "", "name": "GPU 0 Utilization", "pid": 0, "tid": "GPU 0 Counters", "ts": T0, "args": {"v": 1}},
    {"ph": "i", "s": "g", "name": "Record Window End", "pid": "", "tid": "", "ts": Exact(f"{T0 + 999}.843")},
]
write("kineto.json", layout(EVENTS))
# Before baseTimeNanoseconds: a bare list whose ts are absolute, 1.7e15 us with fractions that no double holds.
ABSOLUTE = [kernel("softmax_online", Exact("1712361600000123.457"), Exact("2.001")),
            kernel("softmax_online", Exact("1712361600000200.25"), Exact("1e1")),
            {"ph": "X", "cat": "Kernel", "name": "matmul_tiled", "pid": 1, "tid": "stream 9",
             "ts": Exact("1712361600000130"), "dur": 5, "args": {"stream": 9}}]
write("kineto_bare.json", "[" + ",\n".join(map(dump, ABSOLUTE)) + "]\n")
# Control characters and NaN as broken writers leave them, and a name whose quotes end it too early.
broken = layout(EVENTS[:4]).replace("aten::add", "aten::\x01\tadd").replace('"correlation": 17', '"correlation": NaN', 1)
broken = broken.replace("\n  ]", ',\n  {"ph": "X", "cat": "kernel", "name": "a "b" c", "pid": 0, "tid": 7, "ts": 1, '
                        '"dur": 1, "args": {}},\n  ' + dump(EVENTS[7]) + "\n  ]")
write("kineto_broken.json", broken)
whole = layout(EVENTS).encode()
with open("kineto_cut.json", "wb") as out:  # in the middle of the first collective's name
    out.write(whole[:whole.index(b"ncclDevKernel", whole.index(b"ncclDevKernel") + 10) + 5])
many = layout([kernel(ADD, Exact(f"{T0 + i}.125"), Exact("0.5")) for i in range(2000)]).encode()
packed = gzip.compress(many, 6, mtime=0)
with open("kineto_cut.json.gz", "wb") as out:
    out.write(packed[:len(packed) // 2])
with open("kineto.json.gz", "wb") as out:
    out.write(gzip.compress(whole, 9, mtime=0))
COUNTERS = {"dram__bytes_read.sum": 4194304, "dram__bytes_write.sum": 2097152,
            "smsp__sass_thread_inst_executed_op_fadd_pred_on.sum": 1000,
            "smsp__sass_thread_inst_executed_op_fmul_pred_on.sum": 10,
            "smsp__sass_thread_inst_executed_op_ffma_pred_on.sum": 100000}
write("kineto_cupti.json", layout([
    {"ph": "X", "cat": "cuda_profiler_range", "name": "stream_triad", "pid": 0, "tid": 0, "ts": T0 + i, "dur": 4,
     "args": COUNTERS} for i in range(2)]))
write("no_kernels.json", '{"hello": [1, 2, {"traceEvents": []}]}\n')


def trace_sums_of(text):
    """What Python's json finds, with times as exact decimals."""
    data = json.loads(text, parse_float=decimal.Decimal, strict=False)
    events = data["traceEvents"] if isinstance(data, dict) else data
    categories, kernels = {}, {}
    for event in events:
        if event.get("ph") != "X":
            continue
        ns = int((decimal.Decimal(event["dur"]) * 1000).to_integral_value())
        for table, key in ((categories, event["cat"]), (kernels, event["name"])):
            if table is kernels and event["cat"].lower() != "kernel":
                continue
            entry = table.setdefault(key, {"launches": 0, "ns": 0})
            entry["launches"] += 1
            entry["ns"] += ns
    return {"kernels": kernels, "categories": categories}


for name in ("kineto.json", "kineto_bare.json"):
    with open(name, encoding="utf-8") as text:
        expected[name] = trace_sums_of(text.read())
for name in ("kineto.json.gz", "cpu_real.json.gz"):
    with gzip.open(name, "rt", encoding="utf-8") as text:
        expected[name] = trace_sums_of(text.read())

write("expected.json", json.dumps(expected, indent=1) + "\n")
