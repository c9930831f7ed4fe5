// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/labs/allreduce/nccl_figures.h"

#include "core/profiles/byte_source.h"
#include "core/text/counted.h"
#include "core/workbench/stopwatch.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <map>
#include <set>
#include <utility>

namespace warplight::labs::allreduce {
namespace {

using namespace lab;
using collectives::NcclRow;
using collectives::NcclTests;
using collectives::NcclTiming;

struct Result {
    double value = 0;
    const NcclTiming* timing = nullptr;
};

/// What a curve stands for: rows of one operation, type and root, out of place or in place.
struct Group {
    std::string what; ///< "float prod, in place"; empty where the table holds nothing else
    std::map<int64_t, std::vector<Result>> sizes;
};

double valueOf(const NcclTiming& timing, const std::string& figure) {
    return figure == "time" ? timing.seconds : figure == "busbw" ? timing.busbw : timing.algbw;
}

std::vector<Group> groupsOf(const NcclTests& tests, const std::string& figure) {
    std::set<std::string> types, operations;
    std::set<int> roots;
    for (const NcclRow& row : tests.rows) {
        types.insert(row.type);
        operations.insert(row.redop);
        roots.insert(row.root.value_or(-1));
    }
    std::vector<Group> groups;
    std::map<std::string, size_t> known;
    for (const NcclRow& row : tests.rows)
        for (const auto* half : {&row.outOfPlace, &row.inPlace}) {
            if (!*half || row.bytes <= 0 || !(valueOf(**half, figure) > 0))
                continue;
            std::string what = types.size() > 1 ? row.type : "";
            if (operations.size() > 1)
                what += (what.empty() ? "" : " ") + row.redop;
            if (roots.size() > 1)
                what += fmt::format("{}{}", what.empty() ? "" : ", ",
                                    row.root ? fmt::format("root {}", *row.root) : std::string("no root"));
            if (half == &row.inPlace)
                what += what.empty() ? "in place" : ", in place";
            const auto [at, fresh] = known.try_emplace(what, groups.size());
            if (fresh)
                groups.push_back({what, {}});
            groups[at->second].sizes[row.bytes].push_back({valueOf(**half, figure), &**half});
        }
    return groups;
}

std::string wrongText(const NcclTiming& timing) {
    return timing.wrong   ? fmt::format("{} wrong", *timing.wrong)
           : timing.error ? fmt::format("wrong, off by {:g}", *timing.error)
                          : std::string("wrong");
}

std::string nameOfRun(const NcclTests& tests, const std::string& file) {
    std::string name = file;
    if (!tests.testName.empty())
        name += ", " + tests.testName;
    else if (tests.test != collectives::NcclTest::AllReduce && tests.test != collectives::NcclTest::Unknown)
        name += fmt::format(", {}", nameOf(tests.test));
    if (tests.ranks > 0)
        name += ", " + counted(tests.ranks, "rank");
    return name;
}

/// "8 x NVIDIA H100 80GB HBM3 (nccl.log)".
std::string deviceOf(const NcclTests& tests, const std::string& file) {
    std::string text;
    for (const NcclTests::Device& device : tests.devices)
        text += fmt::format("{}{} x {}", text.empty() ? "" : " + ", device.count, device.name);
    if (text.empty() || tests.devices.size() > 4)
        text = tests.ranks > 0 ? counted(tests.ranks, "rank") : "elsewhere";
    return fmt::format("{} ({})", text, file);
}

} // namespace

std::vector<Curve> ncclCurves(const NcclTests& tests, const std::string& figure, const std::string& name) {
    std::vector<Curve> curves;
    for (const Group& group : groupsOf(tests, figure)) {
        Curve curve, wrong;
        curve.id = curve.label = curve.colourKey = group.what.empty() ? name : fmt::format("{}, {}", name, group.what);
        const bool repeated =
            std::any_of(group.sizes.begin(), group.sizes.end(), [](const auto& s) { return s.second.size() > 1; });
        for (const auto& [bytes, results] : group.sizes) {
            std::vector<double> sorted;
            const NcclTiming* firstWrong = nullptr;
            for (const Result& result : results) {
                sorted.push_back(result.value);
                if (result.timing->valuesWrong && !firstWrong)
                    firstWrong = result.timing;
            }
            std::sort(sorted.begin(), sorted.end());
            curve.x.push_back(static_cast<double>(bytes));
            curve.y.push_back(workbench::quantile(sorted, 0.5));
            if (repeated) {
                curve.low.push_back(workbench::quantile(sorted, 0.1));
                curve.high.push_back(workbench::quantile(sorted, 0.9));
            }
            curve.pointText.push_back(fmt::format("{}{}", counted(static_cast<int64_t>(results.size()), "row"),
                                                  firstWrong ? ", " + wrongText(*firstWrong) : ""));
            if (firstWrong) {
                wrong.x.push_back(curve.x.back());
                wrong.y.push_back(curve.y.back());
                wrong.pointText.push_back(wrongText(*firstWrong));
            }
        }
        wrong.id = wrong.label = curve.label + ": wrong values";
        wrong.colourKey = "wrong values";
        wrong.style = Curve::Style::Points;
        curves.push_back(std::move(curve));
        if (!wrong.x.empty())
            curves.push_back(std::move(wrong));
    }
    return curves;
}

void drawNcclFile(Run& run, const std::string& file) {
    const std::string fileName = file.substr(file.find_last_of('/') + 1);
    std::map<std::string, int> names;
    const auto source = profiles::openFile(file);
    for (const NcclTests& tests : collectives::readNcclTestRuns(*source, {file, run.cancelToken(), {}})) {
        std::string name = nameOfRun(tests, fileName);
        if (const int times = ++names[name]; times > 1)
            name += fmt::format(", table {}", times);
        for (const std::string& warning : tests.warnings)
            run.log(fmt::format("{}: {}", name, warning), Log::Level::Warning);
        for (const char* figure : {"time", "busbw", "algbw"})
            for (Curve& curve : ncclCurves(tests, figure, name)) {
                curve.device = deviceOf(tests, fileName);
                run.appendPoint(figure, curve);
            }
    }
}

} // namespace warplight::labs::allreduce
