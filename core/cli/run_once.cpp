// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/run_once.h"

#include "core/cli/machine.h"
#include "core/error.h"
#include "core/tensor/release.h"
#include "core/text/echo.h"
#include "gpu/host/memory_budget.h"

#include <chrono>
#include <ctime>
#include <fmt/chrono.h>
#include <string>

namespace warplight::cli {
namespace {

std::string nowUtc() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

} // namespace

std::exception_ptr runOnce(lab::Experiment& experiment, const lab::Settings& settings, lab::Run& run,
                           const lab::Run::Sink& sink) {
    const lab::Description description = experiment.describe();
    sink(lab::RunStarted{run.id(), description.id, description.title, settings.values(), run.device(), nowUtc(),
                         thisMachine(), description.colours});
    const auto start = std::chrono::steady_clock::now();
    std::exception_ptr failure;
    lab::RunEnded ended{run.id(), lab::RunEnded::Outcome::Finished, "", 0};
    try {
        run.checkCancelled();
        waitUntilReleased(run.cancelToken()); // what the run before has left
        requireMemory(experiment.neededMemory(settings, run.device()));
        experiment.run(settings, run);
    } catch (const Cancelled&) {
        ended.outcome = lab::RunEnded::Outcome::Cancelled;
    } catch (const std::exception& error) {
        ended.outcome = lab::RunEnded::Outcome::Failed;
        ended.message = sentenceOf(error);
        failure = std::current_exception();
    }
    ended.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    sink(ended);
    return failure;
}

} // namespace warplight::cli
