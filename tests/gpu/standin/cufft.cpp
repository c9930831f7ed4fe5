// SPDX-License-Identifier: GPL-3.0-or-later
// Stands in for libcufft.so.12: batches of one-dimensional transforms between real numbers and spectra, in double
// precision, in the stream of the stand-in driver. A work area of some bytes is asked for, and has to be given.
#include "tests/gpu/standin/standin.h"

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numbers>
#include <vector>

namespace {

enum Result { Success = 0, InvalidPlan = 1, InvalidType = 3, InvalidValue = 4, InvalidSize = 8 };
enum Type { RealToComplex = 0x2a, ComplexToReal = 0x2c };
constexpr size_t workBytes = 1024;

using Complex = std::complex<double>;

struct Plan {
    int type = 0;
    int64_t n = 0, inDistance = 0, outDistance = 0, batch = 0;
    bool automatic = true;
    const void* workArea = nullptr;
};
std::map<int, Plan> plans;

struct Transform {
    Plan plan;
    uint64_t in, out;
};

/// Σ x_j e^(sign 2πi jk / n), by halves while n is even.
std::vector<Complex> transformed(const std::vector<Complex>& x, double sign) {
    const size_t n = x.size();
    std::vector<Complex> y(n);
    const auto root = [&](size_t k) {
        return std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
    };
    if (n % 2 != 0) {
        for (size_t k = 0; k < n; ++k)
            for (size_t j = 0; j < n; ++j)
                y[k] += x[j] * root(j * k);
        return y;
    }
    std::vector<Complex> even, odd;
    for (size_t j = 0; j < n; j += 2) {
        even.push_back(x[j]);
        odd.push_back(x[j + 1]);
    }
    even = transformed(even, sign);
    odd = transformed(odd, sign);
    for (size_t k = 0; k < n / 2; ++k) {
        y[k] = even[k] + root(k) * odd[k];
        y[k + n / 2] = even[k] - root(k) * odd[k];
    }
    return y;
}

void run(void* data) {
    const std::unique_ptr<Transform> t(static_cast<Transform*>(data));
    const Plan& p = t->plan;
    const auto n = static_cast<size_t>(p.n), half = n / 2 + 1;
    const bool isForward = p.type == RealToComplex;
    for (int64_t row = 0; row < p.batch; ++row) {
        std::vector<float> in(isForward ? n : 2 * half), out;
        const uint64_t from = t->in + static_cast<uint64_t>(row * p.inDistance * (isForward ? 4 : 8)),
                       to = t->out + static_cast<uint64_t>(row * p.outDistance * (isForward ? 8 : 4));
        standinRead(from, in.data(), static_cast<int64_t>(4 * in.size()));
        std::vector<Complex> x(n);
        for (size_t i = 0; i < n; ++i) {
            const size_t k = i < half ? i : n - i;
            x[i] = isForward ? Complex(static_cast<double>(in[i]))
                             : Complex(static_cast<double>(in[2 * k]),
                                       static_cast<double>(in[2 * k + 1]) * (i < half ? 1 : -1));
        }
        const std::vector<Complex> y = transformed(x, isForward ? -1 : 1);
        for (size_t i = 0; i < (isForward ? half : n); ++i) {
            out.push_back(static_cast<float>(y[i].real()));
            if (isForward)
                out.push_back(static_cast<float>(y[i].imag()));
        }
        standinWrite(to, out.data(), static_cast<int64_t>(4 * out.size()));
    }
}

Result start(int handle, int type, const void* in, const void* out) {
    const auto plan = plans.find(handle);
    if (plan == plans.end() || plan->second.type != type)
        return InvalidPlan;
    if (!plan->second.automatic && !plan->second.workArea)
        return InvalidValue;
    standinEnqueue("product", run,
                   new Transform{plan->second, reinterpret_cast<uint64_t>(in), reinterpret_cast<uint64_t>(out)});
    return Success;
}

} // namespace

extern "C" {

STANDIN_EXPORT Result cufftGetVersion(int* version) {
    *version = 12000;
    return Success;
}
STANDIN_EXPORT Result cufftCreate(int* handle) {
    static int next = 0;
    plans[*handle = ++next] = {};
    return Success;
}
STANDIN_EXPORT Result cufftDestroy(int handle) { return plans.erase(handle) > 0 ? Success : InvalidPlan; }
STANDIN_EXPORT Result cufftSetAutoAllocation(int handle, int automatic) {
    plans.at(handle).automatic = automatic != 0;
    return Success;
}
STANDIN_EXPORT Result cufftSetStream(int, void*) { return Success; }
STANDIN_EXPORT Result cufftSetWorkArea(int handle, void* area) {
    plans.at(handle).workArea = area;
    return Success;
}
STANDIN_EXPORT Result cufftMakePlanMany64(int handle, int rank, long long* n, long long* inEmbed, long long inStride,
                                          long long inDistance, long long* outEmbed, long long outStride,
                                          long long outDistance, int type, long long batch, size_t* work) {
    if (type != RealToComplex && type != ComplexToReal)
        return InvalidType;
    const long long half = *n / 2 + 1, least = type == RealToComplex ? *n : half,
                    leastOut = type == RealToComplex ? half : *n;
    if (rank != 1 || *n < 1 || batch < 1 || !inEmbed || !outEmbed || inStride != 1 || outStride != 1 ||
        inDistance < least || outDistance < leastOut)
        return InvalidSize;
    Plan& plan = plans.at(handle);
    plan = {type, *n, inDistance, outDistance, batch, plan.automatic, nullptr};
    *work = workBytes;
    return Success;
}
STANDIN_EXPORT Result cufftExecR2C(int handle, float* in, void* out) { return start(handle, RealToComplex, in, out); }
STANDIN_EXPORT Result cufftExecC2R(int handle, void* in, float* out) { return start(handle, ComplexToReal, in, out); }
}
