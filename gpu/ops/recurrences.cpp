// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/recurrences.h"

#include "gpu/error.h"
#include "gpu/host/memory_budget.h"
#include "gpu/ops/device_matrix.h"
#include "gpu/ops/kernel_problem.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <string>

namespace warplight::gpu {
namespace {

using number::Format;

constexpr const char* family = "recurrences";
constexpr int64_t threads = 128, columnsOfBlock = 32;

/// Rwkv6Problem of gpu/kernels/recurrences.cu.
struct KernelArguments {
    uint64_t r, k, v, w, u, o, last;
    int32_t length, heads, keyDim, valueDim;
};
static_assert(sizeof(KernelArguments) == 72);

int32_t int32(int64_t x) { return static_cast<int32_t>(x); }
double real(int64_t x) { return static_cast<double>(x); }

Extent gridOf(const ChannelShape& s) { return {ceilDiv(s.channels, threads), static_cast<uint32_t>(s.batch)}; }
bool isEmpty(const ChannelShape& s) { return s.batch * s.length == 0; }

} // namespace

void checkShape(const ChannelShape& s) {
    if (s.batch < 0 || s.length < 0 || s.channels < 1)
        throw InputError(fmt::format("recurrence: batch {}, length {} and {} channels, expected at least 0, 0 and 1",
                                     s.batch, s.length, s.channels));
    if (s.batch > 65535 || s.length > INT32_MAX || s.channels > INT32_MAX / 2)
        throw InputError(fmt::format("recurrence: {} sequences of {} steps and {} channels are too many for one launch",
                                     s.batch, s.length, s.channels));
}

void checkShape(const Rwkv6Shape& s) {
    if (s.batch < 0 || s.length < 0 || s.heads < 1 || s.keyDim < 1 || s.valueDim < 1)
        throw InputError(fmt::format("rwkv6: batch {}, length {}, {} heads of {} × {}, expected at least 0, 0 and 1",
                                     s.batch, s.length, s.heads, s.keyDim, s.valueDim));
    if (s.allHeads() > 65535 || s.length > INT32_MAX - 128 || s.valueDim > INT16_MAX)
        throw InputError(fmt::format("rwkv6: {} heads of {} steps and {} columns are too many for one launch",
                                     s.allHeads(), s.length, s.valueDim));
}

std::string whyNot(const Rwkv6Shape& s) {
    return s.keyDim <= largestRwkv6KeyDim
               ? ""
               : fmt::format("it keeps columns of up to {} numbers in registers, not {}", largestRwkv6KeyDim, s.keyDim);
}

RecurrenceRun lru(KernelLibrary& library, const ChannelShape& s, const float* u, const float* lambda,
                  const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    const int64_t steps = s.batch * s.length;
    DeviceMatrix in(launcher.device(), "U", steps, 2 * s.channels, Format::F32),
        coefficients(launcher.device(), "lambda", s.channels, 4, Format::F32),
        out(launcher.device(), "states", steps, 2 * s.channels, Format::F32);
    in.upload(u, options.cancel);
    coefficients.upload(lambda, options.cancel);
    if (!isEmpty(s))
        launcher.start(family, "lru_recurrent", gridOf(s), {threads}, 0,
                       {in.address(), coefficients.address(), out.address(), int32(s.length), int32(s.channels)});
    RecurrenceRun result{launcher.finish(), {}, {}};
    result.out = out.download(options.cancel);
    return result;
}

RecurrenceRun rwkv4(KernelLibrary& library, const ChannelShape& s, const float* k, const float* v, const float* w,
                    const float* u, const LaunchOptions& options) {
    checkShape(s);
    Launcher launcher(library, options);
    const int64_t steps = s.batch * s.length;
    DeviceMatrix keys(launcher.device(), "K", steps, s.channels, Format::F32),
        values(launcher.device(), "V", steps, s.channels, Format::F32),
        decay(launcher.device(), "w", 1, s.channels, Format::F32),
        bonus(launcher.device(), "u", 1, s.channels, Format::F32),
        out(launcher.device(), "O", steps, s.channels, Format::F32);
    keys.upload(k, options.cancel);
    values.upload(v, options.cancel);
    decay.upload(w, options.cancel);
    bonus.upload(u, options.cancel);
    if (!isEmpty(s))
        launcher.start(family, "rwkv4_recurrent", gridOf(s), {threads}, 0,
                       {keys.address(), values.address(), decay.address(), bonus.address(), out.address(),
                        int32(s.length), int32(s.channels)});
    RecurrenceRun result{launcher.finish(), {}, {}};
    result.out = out.download(options.cancel);
    return result;
}

RecurrenceRun rwkv6(KernelLibrary& library, const Rwkv6Shape& s, const Rwkv6Tensors& t, const LaunchOptions& options) {
    checkShape(s);
    if (const std::string why = whyNot(s); !why.empty())
        throw InputError(fmt::format("rwkv6: {}", why));
    Launcher launcher(library, options);
    const int64_t rows = s.allHeads() * s.length;
    DeviceMatrix r(launcher.device(), "R", rows, s.keyDim, Format::F32),
        k(launcher.device(), "K", rows, s.keyDim, Format::F32),
        v(launcher.device(), "V", rows, s.valueDim, Format::F32),
        w(launcher.device(), "w", rows, s.keyDim, Format::F32),
        u(launcher.device(), "u", s.heads, s.keyDim, Format::F32),
        o(launcher.device(), "O", rows, s.valueDim, Format::F32),
        last(launcher.device(), "last-state", s.allHeads() * s.keyDim, s.valueDim, Format::F32);
    r.upload(t.r, options.cancel);
    k.upload(t.k, options.cancel);
    v.upload(t.v, options.cancel);
    w.upload(t.w, options.cancel);
    u.upload(t.u, options.cancel);
    if (s.allHeads() > 0)
        launcher.start(
            family, fmt::format("rwkv6_recurrent_d{}", paddedDim(s.keyDim)),
            {ceilDiv(s.valueDim, columnsOfBlock), static_cast<uint32_t>(s.allHeads())}, {threads}, 0,
            {KernelArguments{r.address(), k.address(), v.address(), w.address(), u.address(), o.address(),
                             last.address(), int32(s.length), int32(s.heads), int32(s.keyDim), int32(s.valueDim)}});
    RecurrenceRun result{launcher.finish(), {}, {}};
    result.out = o.download(options.cancel);
    result.last = last.download(options.cancel);
    return result;
}

TensorTraffic lruTraffic(const ChannelShape& s) {
    const double numbers = 8 * real(s.batch * s.length) * real(s.channels),
                 channels = isEmpty(s) ? 0 : real(s.batch * s.channels);
    return withoutEmpty({{"U", {numbers, 0}}, {"lambda", {16 * channels, 0}}, {"states", {0, numbers}}});
}

TensorTraffic rwkv4Traffic(const ChannelShape& s) {
    const double numbers = 4 * real(s.batch * s.length) * real(s.channels),
                 channels = isEmpty(s) ? 0 : 4 * real(s.batch * s.channels);
    return withoutEmpty(
        {{"K", {numbers, 0}}, {"V", {numbers, 0}}, {"w", {channels, 0}}, {"u", {channels, 0}}, {"O", {0, numbers}}});
}

TensorTraffic rwkv6Traffic(const Rwkv6Shape& s) {
    const double tiles = ceilDiv(s.valueDim, columnsOfBlock), // of columns, each of which goes through all keys
        rows = real(s.allHeads() * s.length), keys = 4 * tiles * rows * real(s.keyDim),
                 values = 4 * rows * real(s.valueDim);
    return withoutEmpty({{"R", {keys, 0}},
                         {"K", {keys, 0}},
                         {"w", {keys, 0}},
                         {"u", {4 * tiles * real(s.allHeads() * s.keyDim), 0}},
                         {"V", {values, 0}},
                         {"O", {0, values}},
                         {"last-state", {0, 4 * real(s.allHeads() * s.keyDim) * real(s.valueDim)}}});
}

int64_t lruBytes(const ChannelShape& s) {
    const int64_t numbers = saturatedProduct(saturatedProduct(s.batch, s.length), s.channels);
    return saturatedSum(saturatedProduct(numbers, 16), 16 * s.channels);
}

int64_t rwkv4Bytes(const ChannelShape& s) {
    const int64_t numbers = saturatedProduct(saturatedProduct(s.batch, s.length), s.channels);
    return saturatedSum(saturatedProduct(numbers, 12), 8 * s.channels);
}

int64_t rwkv6Bytes(const Rwkv6Shape& s) {
    const int64_t rows = saturatedProduct(saturatedProduct(s.batch, s.heads), s.length);
    return saturatedSum(
        saturatedProduct(rows, 4 * (3 * s.keyDim + 2 * s.valueDim)),
        saturatedSum(4 * s.heads * s.keyDim, saturatedProduct(s.allHeads(), 4 * s.keyDim * s.valueDim)));
}

} // namespace warplight::gpu
