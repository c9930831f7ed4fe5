// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cpu/matmul/matmul.h"
#include "core/devices/gpus.h"
#include "core/labs/linear/order.h"
#include "core/tensor/random.h"
#include "core/workbench/stopwatch.h"
#include "gpu/ops/kernel_library.h"
#include "gpu/ops/matmul.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace warplight::labs::linear {
namespace {

constexpr double secondsOfTiming = 0.05; ///< a product, at most

/// Makes products on the run's device.
class Multiplier {
  public:
    Multiplier(const std::string& gpu, lab::Run& run) : gpu(gpu), run(run) {
        if (run.device() != "cpu") {
            device = devices::openGpu(run.device());
            library.emplace(*device);
        }
    }

    std::vector<float> operator()(Product& p, const std::vector<float>& a, const std::vector<float>& b) {
        return library ? onGpu(p, a, b) : onCpu(p, a, b);
    }

  private:
    std::vector<float> onGpu(Product& p, const std::vector<float>& a, const std::vector<float>& b) {
        gpu::LaunchOptions options;
        options.gpu = gpu;
        options.cancel = run.cancelToken();
        gpu::MatmulRun made = gpu::matmul(*library, gpu::MatmulRung::Tiled, {p.rows, p.columns, p.inner},
                                          number::Format::F32, a.data(), b.data(), options);
        for (const gpu::LaunchRecord& launch : made.launches) {
            p.flops += static_cast<double>(launch.stats.flops);
            p.seconds += launch.stats.modelled ? launch.stats.modelled->seconds : 0;
        }
        p.bytes = totalBytes(gpu::countedTraffic(made));
        return std::move(made.c);
    }

    std::vector<float> onCpu(Product& p, const std::vector<float>& a, const std::vector<float>& b) {
        std::vector<float> c(static_cast<size_t>(p.rows * p.columns));
        cpu::MatmulProblem problem{p.rows, p.columns, p.inner};
        problem.a = a.data(), problem.b = b.data(), problem.c = c.data();
        p.flops = cpu::usefulFlops(problem);
        p.seconds = workbench::timeRepeatedly(
                        [&] {
                            cpu::matmul(cpu::MatmulRung::Packed, problem, {0, run.cancelToken()});
                            run.checkCancelled();
                        },
                        secondsOfTiming)
                        .median;
        return c;
    }

    std::string gpu;
    lab::Run& run;
    std::unique_ptr<gpu::Device> device;
    std::optional<gpu::KernelLibrary> library;
};

std::vector<float> numbers(int64_t count, uint64_t seed, uint64_t stream, const std::atomic<bool>* cancel) {
    std::vector<float> all(static_cast<size_t>(count));
    tensor::fillGaussian(all, seed, stream, 1, cancel);
    return all;
}

std::vector<float> transposed(const std::vector<float>& x, int64_t rows, int64_t columns) {
    std::vector<float> y(x.size());
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
            y[static_cast<size_t>(j * rows + i)] = x[static_cast<size_t>(i * columns + j)];
    return y;
}

} // namespace

Orders runOrders(int64_t length, int64_t features, uint64_t seed, const std::string& gpu, lab::Run& run) {
    const int64_t n = length, d = features;
    const std::vector<float> q = numbers(n * d, seed, 0, run.cancelToken()),
                             k = numbers(n * d, seed, 1, run.cancelToken()),
                             v = numbers(n * d, seed, 2, run.cancelToken()), kT = transposed(k, n, d);
    Orders orders{
        n, d, {{{"S", "Q Kᵀ", n, n, d}, {"O", "S V", n, d, n}, {"M", "Kᵀ V", d, d, n}, {"O", "Q M", n, d, d}}}};
    Multiplier multiply(gpu, run);
    std::array<Product, 4>& p = orders.products;
    const std::vector<float> first = multiply(p[1], multiply(p[0], q, kT), v);
    const std::vector<float> second = multiply(p[3], q, multiply(p[2], kT, v));
    double largest = 0, difference = 0;
    for (size_t i = 0; i < first.size(); ++i) {
        largest = std::max(largest, std::fabs(static_cast<double>(first[i])));
        difference = std::max(difference, std::fabs(static_cast<double>(first[i]) - static_cast<double>(second[i])));
    }
    orders.largestDifference = largest > 0 ? difference / largest : 0;
    return orders;
}

int64_t heldBytes(int64_t length, int64_t features) {
    // Inputs, the transposed one, both outputs, and the largest product; the device has its own copies of one
    // product's.
    return 4 * (2 * length * length + 8 * length * features + 2 * features * features);
}

} // namespace warplight::labs::linear
