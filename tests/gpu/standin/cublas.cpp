// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for libcublas.so.13: products by plain loops in double precision, in cuBLAS's own terms (columns, leading
// dimensions, strides), in the stream of the stand-in driver.
#include "gpu/number/half.h"
#include "tests/gpu/standin/standin.h"

#include <cstdint>
#include <memory>
#include <vector>

using namespace warplight;

namespace {

enum Status { Success = 0, InvalidValue = 7, NotSupported = 15 };
enum Type { F32 = 0, F16 = 2, BF16 = 14 };
constexpr int compute32F = 68;

struct Matrix {
    uint64_t at;
    int type;
    int64_t leading, stride;
};
struct Product {
    bool transposeA, transposeB;
    int64_t m, n, k, batch;
    float alpha, beta;
    Matrix a, b, c;
};

int64_t sizeOf(int type) { return type == F32 ? 4 : 2; }

double element(const Matrix& matrix, int64_t index) {
    const uint64_t address = matrix.at + static_cast<uint64_t>(index * sizeOf(matrix.type));
    if (matrix.type == F32) {
        float x;
        standinRead(address, &x, 4);
        return static_cast<double>(x);
    }
    uint16_t bits;
    standinRead(address, &bits, 2);
    return static_cast<double>(matrix.type == F16 ? number::f16ToFloat(bits) : number::bf16ToFloat(bits));
}

void store(const Matrix& matrix, int64_t index, double value) {
    const uint64_t address = matrix.at + static_cast<uint64_t>(index * sizeOf(matrix.type));
    const auto x = static_cast<float>(value);
    const uint16_t bits = matrix.type == F16 ? number::floatToF16(x) : number::floatToBf16(x);
    standinWrite(address, matrix.type == F32 ? static_cast<const void*>(&x) : &bits, sizeOf(matrix.type));
}

/// All elements of op(X), rows × columns, of one batch.
std::vector<double> read(const Matrix& matrix, bool transposed, int64_t rows, int64_t columns, int64_t batch) {
    std::vector<double> values;
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c)
            values.push_back(element(matrix, batch * matrix.stride +
                                                 (transposed ? c + r * matrix.leading : r + c * matrix.leading)));
    return values;
}

void run(void* data) {
    const std::unique_ptr<Product> p(static_cast<Product*>(data));
    for (int64_t batch = 0; batch < p->batch; ++batch) {
        const std::vector<double> a = read(p->a, p->transposeA, p->m, p->k, batch),
                                  b = read(p->b, p->transposeB, p->k, p->n, batch);
        for (int64_t row = 0; row < p->m; ++row)
            for (int64_t column = 0; column < p->n; ++column) {
                double sum = 0;
                for (int64_t i = 0; i < p->k; ++i)
                    sum += a[static_cast<size_t>(row * p->k + i)] * b[static_cast<size_t>(i * p->n + column)];
                const int64_t at = batch * p->c.stride + row + column * p->c.leading;
                const double before = p->beta != 0 ? static_cast<double>(p->beta) * element(p->c, at) : 0;
                store(p->c, at, static_cast<double>(p->alpha) * sum + before);
            }
    }
}

Status multiply(const Product& p) {
    const auto fits = [](const Matrix& x, int64_t rows) { return x.leading >= rows && x.leading >= 1; };
    if (p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0 || !fits(p.a, p.transposeA ? p.k : p.m) ||
        !fits(p.b, p.transposeB ? p.n : p.k) || !fits(p.c, p.m))
        return InvalidValue;
    if (p.a.type != p.b.type || (p.c.type != F32 && p.c.type != p.a.type))
        return NotSupported;
    standinEnqueue("product", run, new Product(p));
    return Success;
}

int handleObject = 0;

} // namespace

extern "C" {

STANDIN_EXPORT Status cublasCreate_v2(int** handle) {
    *handle = &handleObject;
    return Success;
}
STANDIN_EXPORT Status cublasDestroy_v2(int*) { return Success; }
STANDIN_EXPORT Status cublasGetVersion_v2(int*, int* version) {
    *version = 130000;
    return Success;
}
STANDIN_EXPORT Status cublasSetStream_v2(int*, void*) { return Success; }
STANDIN_EXPORT const char* cublasGetStatusName(Status status) {
    return status == InvalidValue ? "CUBLAS_STATUS_INVALID_VALUE" : "CUBLAS_STATUS_NOT_SUPPORTED";
}
STANDIN_EXPORT const char* cublasGetStatusString(Status status) {
    return status == InvalidValue ? "an unsupported value was passed" : "the functionality is not supported";
}
STANDIN_EXPORT Status cublasSgemmStridedBatched(int*, int transA, int transB, int m, int n, int k, const float* alpha,
                                                const float* a, int lda, long long strideA, const float* b, int ldb,
                                                long long strideB, const float* beta, float* c, int ldc,
                                                long long strideC, int batch) {
    const auto at = [](const float* x) { return reinterpret_cast<uint64_t>(x); };
    return multiply({transA != 0,
                     transB != 0,
                     m,
                     n,
                     k,
                     batch,
                     *alpha,
                     *beta,
                     {at(a), F32, lda, strideA},
                     {at(b), F32, ldb, strideB},
                     {at(c), F32, ldc, strideC}});
}
STANDIN_EXPORT Status cublasGemmStridedBatchedEx(int*, int transA, int transB, int m, int n, int k, const void* alpha,
                                                 const void* a, int typeA, int lda, long long strideA, const void* b,
                                                 int typeB, int ldb, long long strideB, const void* beta, void* c,
                                                 int typeC, int ldc, long long strideC, int batch, int computeType,
                                                 int) {
    if (computeType != compute32F)
        return NotSupported;
    const auto at = [](const void* x) { return reinterpret_cast<uint64_t>(x); };
    return multiply({transA != 0,
                     transB != 0,
                     m,
                     n,
                     k,
                     batch,
                     *static_cast<const float*>(alpha),
                     *static_cast<const float*>(beta),
                     {at(a), typeA, lda, strideA},
                     {at(b), typeB, ldb, strideB},
                     {at(c), typeC, ldc, strideC}});
}
}
