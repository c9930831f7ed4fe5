// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"
#include "gpu/virtual/virtual_device.h"

#include <QFile>
#include <QString>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace warplight::test {

/// Kernels whose threads wait, of a file of tests/data/ptx: their arguments are buffers of as many zeros as there are
/// threads, and a number behind them.
class WaitingKernels {
  public:
    struct Result {
        gpu::LaunchStats stats;
        std::vector<int32_t> first, y; ///< the first and the last buffer
    };

    /// False: the file cannot be read.
    bool load(const QString& folder, const QString& name) {
        QFile file(folder + '/' + name);
        if (!file.open(QIODevice::ReadOnly))
            return false;
        module = device->load(file.readAll().toStdString(), name.toStdString());
        return true;
    }
    Result run(const char* name, uint32_t blocks, uint32_t threads, int number, bool checks = false,
               int hostThreads = 0) {
        gpu::Kernel& kernel = module->kernel(name);
        const auto& parameters = kernel.info().parameters;
        const auto buffers = static_cast<size_t>(
            std::count_if(parameters.begin(), parameters.end(), [](const auto& p) { return p.bytes == 8; }));
        std::vector<gpu::Buffer> held;
        std::vector<gpu::Argument> arguments;
        const std::vector<int32_t> zero(static_cast<size_t>(blocks) * threads);
        for (size_t i = 0; i < buffers; ++i) {
            held.emplace_back(*device, static_cast<int64_t>(zero.size() * sizeof(int32_t)), "buffer");
            held.back().upload(zero.data());
            arguments.emplace_back(held.back().address());
        }
        if (parameters.size() > buffers)
            arguments.emplace_back(number);
        gpu::LaunchConfig config;
        config.grid = {blocks};
        config.block = {threads};
        config.gpu = "A100";
        config.checks = checks;
        config.threads = hostThreads;
        Result result;
        result.stats = kernel.launch(config, arguments);
        result.first = result.y = zero;
        held.front().download(result.first.data());
        held.back().download(result.y.data());
        return result;
    }
    /// What the kernel is stopped with; empty: it ends.
    QString failure(const char* name, uint32_t blocks, uint32_t threads, int number) {
        try {
            run(name, blocks, threads, number);
        } catch (const gpu::KernelError& error) {
            return QString::fromStdString(error.what());
        }
        return {};
    }

  private:
    std::unique_ptr<gpu::Device> device = vgpu::makeVirtualDevice();
    std::unique_ptr<gpu::Module> module;
};

inline bool allAre(const std::vector<int32_t>& values, int32_t expected) {
    return std::all_of(values.begin(), values.end(), [&](int32_t v) { return v == expected; });
}

} // namespace warplight::test
