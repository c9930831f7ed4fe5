// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cublas.h"

#include "gpu/error.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace warplight::cuda {
namespace {

// cuBLAS 13.0 (cublas_api.h, library_types.h).
enum class Status : int { Success = 0, AllocFailed = 3, ExecutionFailed = 13 };
enum class Operation : int { N = 0, T = 1 };
enum class DataType : int { F32 = 0, F16 = 2, BF16 = 14 };
constexpr int compute32F = 68, defaultAlgorithm = -1;

DataType dataType(number::Format n) {
    return n == number::Format::F32 ? DataType::F32 : n == number::Format::F16 ? DataType::F16 : DataType::BF16;
}

std::vector<std::string> namesToTry() {
    if (const char* wanted = std::getenv("WARPLIGHT_LIBCUBLAS"); wanted && *wanted)
        return {wanted};
    std::vector<std::string> names;
    for (const char* version : {"13", "12"})
        for (const char* folder : {"", "/usr/local/cuda/lib64/"}) // toolkits do not always tell the loader
            names.push_back(fmt::format("{}libcublas.so.{}", folder, version));
    return names;
}

} // namespace

struct Cublas::Functions {
    Status (*create)(CublasHandle**) = nullptr;
    Status (*destroy)(CublasHandle*) = nullptr;
    Status (*version)(CublasHandle*, int*) = nullptr;
    Status (*setStream)(CublasHandle*, StreamHandle) = nullptr;
    const char* (*statusName)(Status) = nullptr;
    const char* (*statusText)(Status) = nullptr;
    Status (*multiplyF32)(CublasHandle*, Operation, Operation, int m, int n, int k, const float* alpha, const float* a,
                          int lda, long long strideA, const float* b, int ldb, long long strideB, const float* beta,
                          float* c, int ldc, long long strideC, int batch) = nullptr;
    Status (*multiply)(CublasHandle*, Operation, Operation, int m, int n, int k, const void* alpha, const void* a,
                       DataType, int lda, long long strideA, const void* b, DataType, int ldb, long long strideB,
                       const void* beta, void* c, DataType, int ldc, long long strideC, int batch, int computeType,
                       int algorithm) = nullptr;
};

Cublas::Cublas(Context& c, Timing& t) : context(c), timing(t) {}

std::unique_ptr<Cublas> Cublas::open(Context& context, Timing& timing) {
    const std::vector<std::string> names = namesToTry();
    const std::optional<SharedLibrary> library = SharedLibrary::open(names);
    if (!library)
        return nullptr;
    auto f = std::make_unique<Functions>();
    bool complete = true;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = library->function<F>(name);
        complete = complete && function;
    };
    find(f->create, "cublasCreate_v2");
    find(f->destroy, "cublasDestroy_v2");
    find(f->version, "cublasGetVersion_v2");
    find(f->setStream, "cublasSetStream_v2");
    find(f->statusName, "cublasGetStatusName");
    find(f->statusText, "cublasGetStatusString");
    find(f->multiplyF32, "cublasSgemmStridedBatched");
    find(f->multiply, "cublasGemmStridedBatchedEx");
    if (!complete)
        return nullptr;
    context.enter();
    std::unique_ptr<Cublas> cublas(new Cublas(context, timing));
    cublas->functions = std::move(f);
    if (cublas->functions->create(&cublas->handle) != Status::Success) {
        cublas->handle = nullptr;
        return nullptr;
    }
    if (cublas->functions->setStream(cublas->handle, context.stream()) != Status::Success)
        return nullptr;
    return cublas;
}

Cublas::~Cublas() {
    if (!handle || context.lost())
        return;
    context.note(context.driver().contextSetCurrent(context.handle()), "the GPU's context");
    functions->destroy(handle);
}

std::string Cublas::name() const {
    int version = 0; // 130100 for 13.1
    functions->version(handle, &version);
    return fmt::format("cuBLAS {}.{}", version / 10000, version % 10000 / 100);
}

void Cublas::start(const gpu::MatrixProduct& p) {
    // cuBLAS thinks in columns: what is row-major here is its transpose there, and Zᵀ = Yᵀ Xᵀ.
    const auto m = static_cast<int>(p.columns), n = static_cast<int>(p.rows), k = static_cast<int>(p.inner);
    const int lda = p.transposed ? k : m;
    const Operation ofY = p.transposed ? Operation::T : Operation::N;
    const long long strideX = p.rows * p.inner, strideY = p.inner * p.columns, strideZ = p.rows * p.columns;
    const auto batch = static_cast<int>(p.batch);
    const float zero = 0;
    const auto at = [](uint64_t address) { return reinterpret_cast<void*>(address); };
    const auto floats = [](uint64_t address) { return reinterpret_cast<float*>(address); };
    const Status status =
        p.inputs == number::Format::F32 && p.output == number::Format::F32
            ? functions->multiplyF32(handle, ofY, Operation::N, m, n, k, &p.scale, floats(p.y), lda, strideY,
                                     floats(p.x), k, strideX, &zero, floats(p.z), m, strideZ, batch)
            : functions->multiply(handle, ofY, Operation::N, m, n, k, &p.scale, at(p.y), dataType(p.inputs), lda,
                                  strideY, at(p.x), dataType(p.inputs), k, strideX, &zero, at(p.z), dataType(p.output),
                                  m, strideZ, batch, compute32F, defaultAlgorithm);
    if (status == Status::Success)
        return;
    // An error of the GPU itself shows in the stream, with a better name than cuBLAS gives it.
    context.synchronize("cuBLAS");
    throw std::runtime_error(fmt::format("{}: {} failed with {} ({})", context.name(), name(),
                                         functions->statusName(status), functions->statusText(status)));
}

gpu::LaunchStats Cublas::multiply(const gpu::MatrixProduct& p, const gpu::Repetitions& repeat,
                                  const std::atomic<bool>* cancel) {
    context.enter();
    for (const int64_t size : {p.batch, p.rows, p.columns, p.inner})
        if (size < 1 || size > INT32_MAX)
            throw InputError(
                fmt::format("a product of {} matrices of {} × {} and {} × {} is not within cuBLAS's 1 to {}", p.batch,
                            p.rows, p.inner, p.inner, p.columns, INT32_MAX));
    if (cancel && *cancel)
        throw Cancelled();
    gpu::LaunchStats stats;
    const auto begin = std::chrono::steady_clock::now();
    if (timing.running())
        start(p);
    else
        stats.measured = timing.measure(
            repeat, [&] { start(p); }, cancel, "a matrix product by cuBLAS");
    stats.hostSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return stats;
}

} // namespace warplight::cuda
