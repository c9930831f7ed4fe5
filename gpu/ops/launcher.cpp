// SPDX-License-Identifier: GPL-3.0-or-later
#include "gpu/ops/launcher.h"

#include <fmt/format.h>
#include <utility>

namespace warplight::gpu {

void Launcher::start(const std::string& family, const std::string& kernel, Extent grid, Extent block,
                     int64_t sharedBytes, std::vector<Argument> arguments,
                     std::function<void(const MemoryAccess&)> observer) {
    LaunchConfig config;
    config.grid = grid;
    config.block = block;
    config.dynamicShared = sharedBytes;
    config.checks = options.checks;
    config.gpu = options.gpu;
    config.threads = options.threads;
    config.cancel = options.cancel;
    config.registers = kernelRegisters(family, kernel);
    config.observer = std::move(observer);
    if (options.prepare)
        options.prepare(config);
    Kernel& k = library.kernel(family, kernel);
    run({kernel, grid, block, sharedBytes + k.info().sharedBytes, {}},
        [&k, config, arguments = std::move(arguments)] { return k.launch(config, arguments); });
}

void Launcher::multiply(const MatrixProduct& product, const std::string& name) {
    MatrixLibrary& products = *device().matrixLibrary();
    run({fmt::format("{}: {}", products.name(), name), {}, {}, 0, {}},
        [&products, product, cancel = options.cancel] { return products.multiply(product, {}, cancel); });
}

void Launcher::transform(std::shared_ptr<FourierPlan> plan, uint64_t rows, uint64_t workArea, const std::string& name) {
    run({fmt::format("{}: {}", device().fourierLibrary()->name(), name), {}, {}, 0, {}},
        [plan = std::move(plan), rows, workArea, cancel = options.cancel] {
            return plan->run(rows, workArea, {}, cancel);
        });
}

const Buffer& Launcher::temporary(int64_t bytes, const std::string& name) {
    return temporaries.emplace_back(device(), bytes, name);
}

void Launcher::run(LaunchRecord record, std::function<LaunchStats()> step) {
    if (options.around)
        options.around([&] { record.stats = step(); });
    else
        record.stats = step();
    result.launches.push_back(std::move(record));
    steps.push_back(std::move(step));
}

Launched Launcher::finish() {
    if (options.measure && !steps.empty())
        result.measured = device().measure(
            *options.measure,
            [&] {
                for (const auto& step : steps)
                    step();
            },
            options.cancel);
    return std::move(result);
}

} // namespace warplight::gpu
