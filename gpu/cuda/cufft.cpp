// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/cuda/cufft.h"

#include "gpu/error.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace warplight::cuda {
namespace {

// cuFFT 12.0 (cufft.h).
enum class Status : int { Success = 0 };
constexpr int realToComplex = 0x2a, complexToReal = 0x2c;

std::vector<std::string> namesToTry() {
    if (const char* wanted = std::getenv("WARPLIGHT_LIBCUFFT"); wanted && *wanted)
        return {wanted};
    std::vector<std::string> names;
    for (const char* version : {"12", "11"}) // of CUDA 13 and 12
        for (const char* folder : {"", "/usr/local/cuda/lib64/"})
            names.push_back(fmt::format("{}libcufft.so.{}", folder, version));
    return names;
}

} // namespace

struct Cufft::Functions {
    Status (*version)(int*) = nullptr;
    Status (*create)(int* plan) = nullptr;
    Status (*destroy)(int plan) = nullptr;
    Status (*setAutoAllocation)(int plan, int automatic) = nullptr;
    Status (*setStream)(int plan, StreamHandle) = nullptr;
    Status (*setWorkArea)(int plan, void* area) = nullptr;
    Status (*makePlan)(int plan, int rank, long long* n, long long* inEmbed, long long inStride, long long inDistance,
                       long long* outEmbed, long long outStride, long long outDistance, int type, long long batch,
                       size_t* workBytes) = nullptr;
    Status (*forward)(int plan, float* in, void* out) = nullptr;
    Status (*backward)(int plan, void* in, float* out) = nullptr;
};

namespace {

class Plan final : public gpu::FourierPlan {
  public:
    Plan(Context& c, Timing& t, std::shared_ptr<const Cufft::Functions> f, const gpu::FourierShape& s)
        : context(c), timing(t), functions(std::move(f)), shape(s) {
        check(functions->create(&handle), "cufftCreate");
        try {
            check(functions->setAutoAllocation(handle, 0), "cufftSetAutoAllocation");
            check(functions->setStream(handle, context.stream()), "cufftSetStream");
            // In place: a row of real numbers has room for its spectrum.
            long long n = s.length, spectrum = s.length / 2 + 1, real = 2 * spectrum;
            long long &in = s.isForward ? real : spectrum, &out = s.isForward ? spectrum : real;
            size_t work = 0;
            check(functions->makePlan(handle, 1, &n, &in, 1, in, &out, 1, out,
                                      s.isForward ? realToComplex : complexToReal, s.rows, &work),
                  "cufftMakePlanMany64");
            bytes = static_cast<int64_t>(work);
        } catch (...) {
            functions->destroy(handle);
            throw;
        }
    }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
    ~Plan() override {
        if (context.lost())
            return;
        context.note(context.driver().contextSetCurrent(context.handle()), "the GPU's context");
        functions->destroy(handle);
    }
    int64_t workBytes() const override { return bytes; }
    gpu::LaunchStats run(uint64_t rows, uint64_t workArea, const gpu::Repetitions& repeat,
                         const std::atomic<bool>* cancel) override {
        context.enter();
        if (cancel && *cancel)
            throw Cancelled();
        gpu::LaunchStats stats;
        const auto begin = std::chrono::steady_clock::now();
        const auto once = [&] { start(rows, workArea); };
        if (timing.running())
            once();
        else
            stats.measured = timing.measure(repeat, once, cancel, "a Fourier transform by cuFFT");
        stats.hostSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return stats;
    }

  private:
    void start(uint64_t rows, uint64_t workArea) {
        auto* at = reinterpret_cast<float*>(rows);
        check(functions->setWorkArea(handle, reinterpret_cast<void*>(workArea)), "cufftSetWorkArea");
        if (shape.isForward)
            check(functions->forward(handle, at, at), "cufftExecR2C");
        else
            check(functions->backward(handle, at, at), "cufftExecC2R");
    }
    void check(Status result, const char* call) const {
        if (result == Status::Success)
            return;
        // An error of the GPU itself shows in the stream, with a better name than cuFFT gives it.
        context.synchronize("cuFFT");
        throw std::runtime_error(fmt::format("{}: {} failed with error {} for {} rows of {} numbers", context.name(),
                                             call, static_cast<int>(result), shape.rows, shape.length));
    }

    Context& context;
    Timing& timing;
    std::shared_ptr<const Cufft::Functions> functions;
    gpu::FourierShape shape;
    int handle = 0;
    int64_t bytes = 0;
};

} // namespace

Cufft::Cufft(Context& c, Timing& t) : context(c), timing(t) {}
Cufft::~Cufft() = default;

std::unique_ptr<Cufft> Cufft::open(Context& context, Timing& timing) {
    const std::vector<std::string> names = namesToTry();
    const std::optional<SharedLibrary> library = SharedLibrary::open(names);
    if (!library)
        return nullptr;
    auto f = std::make_shared<Functions>();
    bool complete = true;
    const auto find = [&]<class F>(F& function, const char* name) {
        function = library->function<F>(name);
        complete = complete && function;
    };
    find(f->version, "cufftGetVersion");
    find(f->create, "cufftCreate");
    find(f->destroy, "cufftDestroy");
    find(f->setAutoAllocation, "cufftSetAutoAllocation");
    find(f->setStream, "cufftSetStream");
    find(f->setWorkArea, "cufftSetWorkArea");
    find(f->makePlan, "cufftMakePlanMany64");
    find(f->forward, "cufftExecR2C");
    find(f->backward, "cufftExecC2R");
    if (!complete)
        return nullptr;
    context.enter();
    std::unique_ptr<Cufft> cufft(new Cufft(context, timing));
    cufft->functions = std::move(f);
    return cufft;
}

std::string Cufft::name() const {
    int version = 0; // 12000 for 12.0
    functions->version(&version);
    return fmt::format("cuFFT {}.{}", version / 1000, version % 1000 / 100);
}

std::shared_ptr<gpu::FourierPlan> Cufft::plan(const gpu::FourierShape& shape) {
    context.enter();
    if (shape.rows < 1 || shape.length < 2 || shape.length % 2 != 0)
        throw InputError(
            fmt::format("a Fourier transform of {} rows of {} numbers, expected at least one row of an even "
                        "number of them",
                        shape.rows, shape.length));
    return std::make_shared<Plan>(context, timing, functions, shape);
}

} // namespace warplight::cuda
