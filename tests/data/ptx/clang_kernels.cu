// Compiled by: clang-14 -x cuda --cuda-device-only --cuda-gpu-arch=sm_80 -nocudainc -nocudalib -S -O2 -Xclang -target-feature -Xclang +ptx72
#define __global__ __attribute__((global))
extern "C" __global__ void saxpy(float a, const float* x, float* y, int n) { int i = __nvvm_read_ptx_sreg_ctaid_x()*__nvvm_read_ptx_sreg_ntid_x()+__nvvm_read_ptx_sreg_tid_x(); if (i < n) y[i] = a*x[i]+y[i]; }
__attribute__((device)) static float reduce(float v) { for (int o=16;o;o>>=1) v += __nvvm_shfl_sync_bfly_f32(~0u, v, o, 31); return v; }
extern "C" __global__ void softmaxRow(const float* x, float* y, int n) {
  const float* row = x + (long)__nvvm_read_ptx_sreg_ctaid_x()*n; float* out = y + (long)__nvvm_read_ptx_sreg_ctaid_x()*n; int t = __nvvm_read_ptx_sreg_tid_x();
  float m = -__builtin_inff(); for (int i=t;i<n;i+=32) m = __builtin_fmaxf(m, row[i]); for (int o=16;o;o>>=1) m = __builtin_fmaxf(m, __nvvm_shfl_sync_bfly_f32(~0u, m, o, 31));
  float s = 0; for (int i=t;i<n;i+=32) s += __nvvm_ex2_approx_f((row[i]-m)*1.44269504f); s = reduce(s);
  for (int i=t;i<n;i+=32) out[i] = __nvvm_ex2_approx_f((row[i]-m)*1.44269504f)/s; }
extern "C" __global__ void matmul(const float* a, const float* b, float* c, int n) {
  __attribute__((shared)) static float as[16][16], bs[16][16];
  int x = __nvvm_read_ptx_sreg_tid_x(), y = __nvvm_read_ptx_sreg_tid_y(), r = __nvvm_read_ptx_sreg_ctaid_y()*16+y, q = __nvvm_read_ptx_sreg_ctaid_x()*16+x; float s = 0;
  for (int k=0;k<n;k+=16) { as[y][x] = a[r*n+k+x]; bs[y][x] = b[(k+y)*n+q]; __syncthreads(); for (int i=0;i<16;i++) s += as[y][i]*bs[i][x]; __syncthreads(); }
  c[r*n+q] = s; }
