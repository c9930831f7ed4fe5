// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cli/run_command.h"

#include "core/cli/run_once.h"
#include "core/cli/text.h"
#include "core/collectives/mpi_job.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"
#include "core/lab/json.h"
#include "core/lab/session.h"
#include "core/text/echo.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::cli {
namespace {

struct RunOptions {
    std::string what;                  ///< an experiment's id or a lab's name
    std::vector<std::string> settings; ///< "name=value"
    std::string device, format = "text", outFolder, sessionFile;
};

using nlohmann::json;

/// Set by Ctrl+C; experiments look at it.
const std::shared_ptr<std::atomic<bool>>& interrupted() {
    static const auto flag = std::make_shared<std::atomic<bool>>(false);
    return flag;
}

/// The settings that this experiment takes; with one experiment every name must be known.
std::map<std::string, lab::Value> settingsFor(const lab::Description& description, const RunOptions& options,
                                              bool only) {
    std::map<std::string, lab::Value> values;
    for (const std::string& setting : options.settings) {
        const size_t equals = setting.find('=');
        if (equals == std::string::npos)
            throw InputError(fmt::format("--set {}: expected name=value", echoed(setting)));
        const std::string id = setting.substr(0, equals), text = setting.substr(equals + 1);
        const auto found = std::find_if(description.parameters.begin(), description.parameters.end(),
                                        [&](const auto& p) { return p.id == id; });
        if (found != description.parameters.end())
            values[id] = lab::parseValue(*found, text);
        else if (only)
            values[id] = text; // Settings says which names there are
    }
    return values;
}

/// First those that are always there; what they say decides which others there are.
lab::Settings settingsOf(const lab::Experiment& experiment, const RunOptions& options, bool only) {
    const lab::Description description =
        lab::describedBeside(experiment, [&](const lab::Description& d) { return settingsFor(d, options, false); });
    return lab::Settings(description.parameters, settingsFor(description, options, only));
}

void printProgress(const lab::Progress& progress) {
    if (isatty(STDERR_FILENO))
        std::cerr << fmt::format("\r\x1b[K{:3.0f} %  {}", 100 * std::max(0.0, progress.fraction), progress.text)
                  << std::flush;
}

lab::RunRecord runOne(lab::Experiment& experiment, const lab::Settings& settings, const RunOptions& options,
                      lab::RunId id, std::exception_ptr& failure) {
    lab::RunRecord record;
    const auto sink = [&](const lab::Frame& frame) {
        record.apply(frame);
        if (const auto* progress = std::get_if<lab::Progress>(&frame))
            printProgress(*progress);
    };
    const std::vector<std::string> devices = experiment.describe().devices;
    lab::Run run(id, options.device.empty() ? devices.front() : options.device, sink, interrupted());
    failure = runOnce(experiment, settings, run, sink);
    if (isatty(STDERR_FILENO))
        std::cerr << "\r\x1b[K";
    return record;
}

json recordJson(const lab::RunRecord& record) {
    json figures = json::array();
    for (const lab::Figure& figure : record.figures())
        figures.push_back(lab::toJson(figure, true));
    json notes = json::array();
    for (const lab::Log& log : record.logs())
        notes.push_back({{"level", log.level == lab::Log::Level::Warning ? "warning" : "info"}, {"text", log.text}});
    json result{{"run", lab::toJson(lab::Frame(record.start()), true)}, {"figures", figures}, {"notes", notes}};
    if (record.ended())
        result["ended"] = lab::toJson(lab::Frame(*record.ended()), true);
    return result;
}

void print(const lab::RunRecord& record, const std::string& format) {
    if (format == "json")
        std::cout << recordJson(record).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    else if (format == "text")
        std::cout << recordText(record) << '\n';
    else
        for (const lab::Figure& figure : record.figures())
            if (const std::string csv = figureCsv(record, figure); !csv.empty())
                std::cout << "# " << record.start().experiment << ' ' << figure.id << '\n' << csv << '\n';
}

void writeFile(const std::filesystem::path& file, const std::string& text) {
    formats::AtomicFile out(file);
    out.stream() << text;
    out.commit();
}

constexpr const char* recordFile = "run.json"; ///< beside the CSVs of a run

using Work = std::vector<std::pair<lab::Experiment*, lab::Settings>>;

/// Where the CSVs and the record of an experiment go; several get a folder each.
std::filesystem::path folderOf(const RunOptions& options, const Work& work, const std::string& experiment) {
    const std::filesystem::path folder = options.outFolder;
    return work.size() == 1 ? folder : folder / experiment;
}

void writeFolder(const std::filesystem::path& into, const lab::RunRecord& record) {
    std::error_code error;
    std::filesystem::create_directories(into, error);
    if (error)
        throw InputError(
            fmt::format("--out {}: {}, expected a folder that can be made", into.string(), error.message()));
    for (const lab::Figure& figure : record.figures())
        if (const std::string csv = figureCsv(record, figure); !csv.empty())
            writeFile(into / (figure.id + ".csv"), csv);
    writeFile(into / recordFile, recordJson(record).dump(2, ' ', false, json::error_handler_t::replace) + '\n');
}

/// Throws InputError when what the options name could not be written: before a long run, not after it.
void checkTargets(const RunOptions& options, const Work& work) {
    if (!options.sessionFile.empty())
        formats::checkWritable(options.sessionFile);
    if (options.outFolder.empty())
        return;
    formats::checkWritableFolder(options.outFolder);
    const auto session = std::filesystem::weakly_canonical(options.sessionFile);
    for (const auto& item : work) {
        const auto into = folderOf(options, work, item.first->describe().id);
        formats::checkWritableFolder(into);
        if (std::filesystem::exists(into))
            formats::checkWritable(into / recordFile);
        const auto place = std::filesystem::weakly_canonical(into);
        const bool among =
            session.parent_path() == place && (session.filename() == recordFile || session.extension() == ".csv");
        if (!options.sessionFile.empty() && (session == place || among))
            throw InputError(
                fmt::format("--save {}: --out writes there too, expected another name", echoed(options.sessionFile)));
    }
}

/// Everything to its own place: where one cannot be written, the others still are. Throws what failed first, and prints
/// the rest. `failure`: that of the run, which has its place too.
void writeAll(const RunOptions& options, const Work& work, const std::vector<lab::RunRecord>& records,
              std::exception_ptr failure) {
    const auto attempt = [&](const auto& write) {
        try {
            write();
        } catch (const std::exception& error) {
            if (failure)
                std::cerr << "warplight-cli: " << sentenceOf(error) << '\n';
            else
                failure = std::current_exception();
        }
    };
    if (!options.sessionFile.empty())
        attempt([&] {
            std::vector<const lab::RunRecord*> all;
            for (const auto& record : records)
                all.push_back(&record);
            saveSession(options.sessionFile, all);
        });
    if (!options.outFolder.empty())
        for (const lab::RunRecord& record : records)
            attempt([&] { writeFolder(folderOf(options, work, record.start().experiment), record); });
    if (failure)
        std::rethrow_exception(failure);
}

int runExperiments(const RunOptions& options, const lab::Registry& registry) {
    std::vector<lab::Experiment*> experiments = registry.ofLab(options.what);
    const bool only = experiments.empty();
    if (only)
        experiments.push_back(&registry.find(options.what));
    Work work; // all settings are checked before anything runs
    for (lab::Experiment* experiment : experiments) {
        const lab::Description description = experiment->describe();
        if (!options.device.empty() && !lab::runsOn(description, options.device)) {
            if (only)
                throw InputError(fmt::format("--device {}: {} does not run on it, expected one of {}",
                                             echoed(options.device), description.id,
                                             fmt::join(description.devices, ", ")));
            continue; // of a whole lab, what runs there
        }
        work.emplace_back(experiment, settingsOf(*experiment, options, only));
    }
    if (work.empty()) {
        std::set<std::string> known;
        for (const lab::Experiment* experiment : experiments)
            for (const std::string& device : experiment->describe().devices)
                known.insert(device);
        throw InputError(fmt::format("--device {}: no experiment of {} runs on it, expected one of {}",
                                     echoed(options.device), options.what, fmt::join(known, ", ")));
    }
    if (!only)
        for (const std::string& setting : options.settings)
            if (std::none_of(work.begin(), work.end(), [&](const auto& item) {
                    return item.second.values().contains(setting.substr(0, setting.find('=')));
                }))
                throw InputError(
                    fmt::format("--set {}: no experiment of {} has that setting", echoed(setting), options.what));
    checkTargets(options, work);
    std::signal(SIGINT, [](int) {
        interrupted()->store(true);
        std::signal(SIGINT, SIG_DFL); // a second Ctrl+C ends what does not look
    });
    interrupted()->store(false);

    std::vector<lab::RunRecord> records;
    std::exception_ptr failure;
    for (auto& [experiment, settings] : work) {
        lab::RunRecord record = runOne(*experiment, settings, options, records.size() + 1, failure);
        if (failure && record.figures().empty())
            break; // it never began: nothing to print or to keep
        records.push_back(std::move(record));
        print(records.back(), options.format);
        if (records.back().ended()->outcome != lab::RunEnded::Outcome::Finished)
            break;
    }
    if (records.empty())
        std::rethrow_exception(failure);
    writeAll(options, work, records, failure);
    return records.back().ended()->outcome == lab::RunEnded::Outcome::Cancelled ? 130 : 0;
}

} // namespace

void addRunCommand(Command app, const lab::Registry& registry) {
    const auto given = std::make_shared<RunOptions>();
    RunOptions& options = *given;
    const Command command = app.command("run", "Run an experiment, or all of a lab");
    command.option("what", &options.what, "attention.race, or attention for the whole lab").required();
    command.option("--set", &options.settings, "A setting: name=value; a sweep is 256:16384:x2 or a,b,c")
        .oneValueEachTime();
    command.option("--device", &options.device, "cpu or vgpu; default: the first that an experiment runs on");
    command.option("--format", &options.format, "How to print").oneOf({"text", "json", "csv"});
    command.option("--out", &options.outFolder, "A folder for a CSV per figure and run.json");
    command.option("--save", &options.sessionFile, "A .warplight session file");
    command.does([given, &registry] {
        collectives::removeLeftFolders();
        return runExperiments(*given, registry);
    });
}

} // namespace warplight::cli
