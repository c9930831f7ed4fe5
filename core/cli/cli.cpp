// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/cli.h"

#include "core/cli/command.h"
#include "core/cli/compute_command.h"
#include "core/cli/hippo_command.h"
#include "core/cli/inspect_command.h"
#include "core/cli/kernel_command.h"
#include "core/cli/machine.h"
#include "core/cli/model_commands.h"
#include "core/cli/number_command.h"
#include "core/cli/pattern_command.h"
#include "core/cli/round_command.h"
#include "core/cli/run_command.h"
#include "core/cli/serve.h"
#include "core/collectives/mpi_job.h"
#include "core/cpu/target.h"
#include "core/error.h"
#include "core/lab/json.h"
#include "core/text/echo.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace warplight::cli {
namespace {

using nlohmann::json;

void printDevices(bool asJson) {
    json list = json::array();
    for (const auto& device : devices()) {
        list.push_back(
            {{"id", device.id}, {"title", device.title}, {"detail", device.detail}, {"available", device.available}});
        if (!asJson)
            std::cout << fmt::format("{:<8}{}; {}\n", device.id, device.title, device.detail);
    }
    if (asJson)
        std::cout << list.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

void printList(const lab::Registry& registry, bool asJson) {
    json list = json::array();
    std::vector<std::pair<std::string, std::string>> lines;
    for (const lab::Experiment* experiment : registry.all()) {
        const lab::Description d = experiment->describe();
        list.push_back({{"id", d.id}, {"title", d.title}, {"sentence", d.sentence}});
        lines.emplace_back(d.id, d.sentence);
    }
    size_t longest = 0;
    for (const auto& [id, sentence] : lines)
        longest = std::max(longest, id.size());
    for (const auto& [id, sentence] : lines)
        if (!asJson)
            std::cout << fmt::format("{:<{}}  {}\n", id, longest, sentence);
    if (asJson)
        std::cout << list.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

/// The pages that are made from an operator.
std::vector<lab::Description> pagesOf(const workbench::Operator& op, const lab::Registry& registry) {
    std::vector<lab::Description> pages;
    for (const lab::Experiment* experiment : registry.all())
        for (const char* page : {"race", "traffic", "accuracy"})
            if (lab::Description d = experiment->describe(); d.id == fmt::format("{}.{}", op.id, page))
                pages.push_back(std::move(d));
    return pages;
}

json toJson(const workbench::Operator& op, const std::vector<lab::Description>& described) {
    constexpr const char* roles[] = {"input", "output", "statistic", "between"};
    json tensors = json::array(), implementations = json::array(), pages = json::array();
    for (const lab::Description& d : described)
        pages.push_back({{"id", d.id}, {"title", d.title}, {"devices", d.devices}});
    for (const workbench::TensorSpec& t : op.tensors)
        tensors.push_back({{"name", t.name}, {"role", roles[static_cast<size_t>(t.role)]}, {"extents", t.extents}});
    for (const workbench::Implementation& i : op.ladder) {
        std::vector<std::string> formats;
        for (const number::Format format : i.formats)
            formats.push_back(number::name(format));
        implementations.push_back({{"id", i.id},
                                   {"device", i.onGpuDevice() ? "gpu" : "cpu"},
                                   {"formats", formats},
                                   {"title", i.title},
                                   {"improves", i.improves}});
    }
    return {{"id", op.id},           {"title", op.title},  {"formula", op.formula},
            {"flops", op.flopsText}, {"tensors", tensors}, {"implementations", implementations},
            {"pages", pages}};
}

void printOperators(const workbench::Operators& operators, const lab::Registry& registry, bool asJson) {
    json list = json::array();
    for (const auto& op : operators.list()) {
        const std::vector<lab::Description> pages = pagesOf(*op, registry);
        list.push_back(toJson(*op, pages));
        if (asJson)
            continue;
        std::cout << fmt::format("{:<24}{}\n", op->id, op->formula);
        for (const lab::Description& d : pages)
            std::cout << fmt::format("  {:<34}on {}\n", d.id, fmt::join(d.devices, ", "));
    }
    if (asJson)
        std::cout << list.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

void printDescription(const lab::Description& d, bool asJson) {
    if (asJson) {
        std::cout << lab::toJson(d).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
        return;
    }
    std::cout << fmt::format("{}: {}\n{}\n\n", d.id, d.sentence, d.question);
    for (const lab::Parameter& p : d.parameters) {
        std::cout << fmt::format("  --set {}={}\n      {}: {}\n", p.id, lab::valueText(p, p.defaultValue), p.title,
                                 p.doc);
        for (const auto& option : p.options)
            std::cout << fmt::format("        {:<13} {}\n", option.id, option.doc);
    }
}

/// What there is: devices, experiments, operators.
void addLists(Command app, const lab::Registry& registry, const workbench::Operators& operators) {
    struct Given {
        bool asJson = false;
        std::string experiment, listed = "experiments";
    };
    const auto given = std::make_shared<Given>();
    const Command devices = app.command("devices", "What kernels can run on");
    const Command list = app.command("list", "All experiments, or all operators");
    list.option("what", &given->listed, "experiments or operators").oneOf({"experiments", "operators"});
    const Command describe = app.command("describe", "One experiment and its settings");
    describe.option("experiment", &given->experiment, "for example attention.race").required();
    for (const Command& command : {devices, list, describe})
        command.flag("--json", given->asJson, "For programs to read");
    devices.does([given] {
        printDevices(given->asJson);
        return 0;
    });
    list.does([given, &registry, &operators] {
        given->listed == "operators" ? printOperators(operators, registry, given->asJson)
                                     : printList(registry, given->asJson);
        return 0;
    });
    describe.does([given, &registry] {
        printDescription(registry.find(given->experiment).describe(), given->asJson);
        return 0;
    });
}

void say(const std::string& sentence) { std::cerr << "warplight-cli: " << sentence << '\n'; }

/// The exit code, when what was printed has come out; a full disk is an error.
int whenPrinted(int code) {
    errno = 0;
    if (std::cout.flush() && std::fflush(stdout) == 0)
        return code;
    say(fmt::format("standard output: writing failed ({})", std::strerror(errno ? errno : ENOSPC)));
    return 1;
}

} // namespace

int runCli(int argc, char** argv, const lab::Registry& registry, const workbench::Operators& operators) {
    CommandLine line("warplight-cli", WARPLIGHT_VERSION,
                     "Warplight's engine: attention kernels, run for real on this machine");
    const Command app = line.all();
    app.needsCommand();
    addLists(app, registry, operators);
    app.command("serve", "Speak docs/protocol.md on standard input and output").does([&] {
        collectives::removeLeftFolders();
        return serve(registry);
    });
    addRunCommand(app, registry);
    const Command compute = addComputeCommand(app, operators);
    addRoundCommand(compute);
    addHippoCommand(compute);
    addKernelCommand(app);
    addInspectCommand(app);
    addNumberCommand(app);
    addPatternCommand(app);
    addTrainCommand(app);
    addGenerateCommand(app);
    addLogitsCommand(app);
    try {
        if (const auto code = line.parse(argc, argv))
            return whenPrinted(*code);
    } catch (const InputError& error) {
        say(sentenceOf(error) + " (see --help)");
        return 2;
    }
    try {
        if (const char* target = std::getenv("WARPLIGHT_TARGET"))
            cpu::useTarget(target); // "AVX2": as on a machine without more
        return whenPrinted(line.run());
    } catch (const InputError& error) {
        say(sentenceOf(error));
        return 2;
    } catch (const std::exception& error) {
        say(sentenceOf(error));
        return 1;
    }
}

} // namespace warplight::cli
