# Writes triton_*.ptx (Triton 3.9, no GPU needed).
import triton, triton.language as tl
from triton.backends.compiler import GPUTarget
@triton.jit
def softmax(x, y, n, B: tl.constexpr):
    r = tl.program_id(0); o = tl.arange(0, B); m = o < n
    v = tl.load(x + r*n + o, mask=m, other=-float('inf'))
    v = v - tl.max(v, 0); e = tl.exp(v); tl.store(y + r*n + o, e / tl.sum(e, 0), mask=m)
@triton.jit
def matmul(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    pm = tl.program_id(0); pn = tl.program_id(1)
    rm = pm*BM + tl.arange(0, BM); rn = pn*BN + tl.arange(0, BN); rk = tl.arange(0, BK)
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, K, BK):
        x = tl.load(a + rm[:,None]*K + (k+rk)[None,:]); y = tl.load(b + (k+rk)[:,None]*N + rn[None,:])
        acc += tl.dot(x, y)
    tl.store(c + rm[:,None]*N + rn[None,:], acc)
@triton.jit
def attention(q, k, v, o, n, scale, D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr):
    i = tl.program_id(0)*BM + tl.arange(0, BM); d = tl.arange(0, D)
    Q = tl.load(q + i[:,None]*D + d[None,:]); m = tl.full((BM,), -float('inf'), tl.float32); l = tl.zeros((BM,), tl.float32); acc = tl.zeros((BM, D), tl.float32)
    for s in range(0, n, BN):
        j = s + tl.arange(0, BN)
        K = tl.load(k + j[None,:]*D + d[:,None]); V = tl.load(v + j[:,None]*D + d[None,:])
        S = tl.dot(Q, K) * scale
        mn = tl.maximum(m, tl.max(S, 1)); p = tl.exp2((S - mn[:,None])*1.44269504); a = tl.exp2((m-mn)*1.44269504)
        l = l*a + tl.sum(p, 1); acc = acc*a[:,None] + tl.dot(p.to(V.dtype), V); m = mn
    tl.store(o + i[:,None]*D + d[None,:], (acc / l[:,None]).to(tl.float16))
def go(f, name, sig, const, **kw):
    for cap in (80,):
        src = triton.compiler.ASTSource(fn=f, signature=sig, constexprs=const)
        c = triton.compile(src, target=GPUTarget("cuda", cap, 32), options=kw)
        open(f"triton_{name}.ptx","w").write(c.asm['ptx']); print(name, cap, c.metadata.shared, c.metadata.num_warps)
go(softmax,"softmax",{"x":"*fp32","y":"*fp32","n":"i32","B":"constexpr"},{(3,):1024},num_warps=4)
go(matmul,"matmul",{"a":"*fp16","b":"*fp16","c":"*fp32","M":"i32","N":"i32","K":"i32","BM":"constexpr","BN":"constexpr","BK":"constexpr"},{(6,):64,(7,):64,(8,):32},num_warps=4,num_stages=3)
go(attention,"attention",{"q":"*fp16","k":"*fp16","v":"*fp16","o":"*fp16","n":"i32","scale":"fp32","D":"constexpr","BM":"constexpr","BN":"constexpr"},{(6,):64,(7,):64,(8,):64},num_warps=4,num_stages=2)
