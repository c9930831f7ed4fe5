// SPDX-License-Identifier: GPL-3.0-or-later
// Checks Warplight on the NVIDIA GPU that is here, and writes what it found: report.json, report.md, and the sessions
// of its runs, which the window opens. bench/gpu_check makes the folder that this runs in.
#include "bench/check/plan.h"
#include "bench/check/process.h"
#include "bench/check/report.h"
#include "core/formats/atomic_file.h"
#include "core/lab/session.h"
#include "gpu/cuda/device_list.h"

#include <CLI/CLI.hpp>
#include <QCoreApplication>
#include <QDir>
#include <QStandardPaths>
#include <QSysInfo>
#include <algorithm>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace warplight;
using namespace warplight::check;
using nlohmann::json;

namespace {

struct Options {
    std::string programs, out, loader;
    bool small = false;
    double seconds = 470;
};

class Check {
  public:
    explicit Check(const Options& o)
        : options(o),
          programs(o.seconds, QString::fromStdString(o.loader).split(' ', Qt::SkipEmptyParts)),
          sessions(std::filesystem::path(o.out) / "sessions") {}

    /// The exit code: 0 when everything that ran passed.
    int run() {
        const cuda::DeviceList list = cuda::deviceList();
        if (list.gpus.empty()) {
            std::cerr << list.whyNone << '\n';
            return 2;
        }
        std::filesystem::create_directories(sessions);
        const cuda::GpuInfo& gpu = list.gpus.front();
        report = {{"version", WARPLIGHT_VERSION},
                  {"gpu", {{"name", gpu.name}, {"detail", gpu.detail()}}},
                  {"machine", fmt::format("{}, {} processors", QSysInfo::prettyProductName().toStdString(),
                                          std::thread::hardware_concurrency())},
                  {"small", options.small},
                  {"verdict", "The check has not ended."}};
        for (const char* list : {"steps", "tests", "notes", "races", "libraries", "traffic"})
            report[list] = json::array();
        test("any_gpu_test", {}, 60);
        test("operator_table_test", {"onAGpu", "whatIsCancelledStops"}, 150);
        const json operators = listOfOperators();
        for (const PageRun& page : runsOf(operators, "race", options.small))
            if (const auto record = showPage(page))
                for (json& point : racePoints(*record))
                    report["races"].push_back(std::move(point));
        report["libraries"] = libraryRatios(report["races"]);
        for (const PageRun& page : runsOf(operators, "traffic", options.small))
            if (const auto record = showPage(page))
                report["traffic"].push_back(check::trafficOf(*record));
        sanitizers();
        nsightCompute();
        report["verdict"] =
            failed.empty() ? fmt::format("All {} steps that ran passed.", ran)
                           : fmt::format("{} of {} steps failed: {}.", failed.size(), ran, fmt::join(failed, ", "));
        write();
        std::cout << report["verdict"].get<std::string>() << '\n';
        return failed.empty() ? 0 : 1;
    }

  private:
    QString program(const char* name) const { return QDir(QString::fromStdString(options.programs)).filePath(name); }

    json listOfOperators() {
        const Outcome outcome = programs.run(program("warplight-cli"), {"list", "operators", "--json"}, 20, true);
        if (outcome.passed())
            return json::parse(outcome.output.toStdString());
        note("list of operators", outcome);
        return json::array();
    }

    /// Keeps how a step went; what follows may be the last that is seen of this machine, so the report is written.
    void note(const std::string& name, const Outcome& outcome, bool mayTimeOut = false) {
        const std::string words = inWords(outcome);
        const bool counts =
            outcome.end != Outcome::End::NoTimeLeft && !(mayTimeOut && outcome.end == Outcome::End::TimedOut);
        ran += counts;
        if (counts && !outcome.passed())
            failed.push_back(name);
        json step{{"name", name}, {"seconds", outcome.seconds}, {"outcome", words}};
        if (!outcome.passed())
            step["output"] = outcome.output.right(4000).toStdString();
        report["steps"].push_back(std::move(step));
        std::cout << fmt::format("{}: {} ({:.1f} s)", name, words, outcome.seconds) << std::endl;
        if (counts && !outcome.passed())
            std::cout << outcome.output.right(2000).toStdString() << std::endl;
        write();
    }

    void write() const {
        for (const auto& [name, text] :
             {std::pair("report.json", report.dump(2, ' ', false, json::error_handler_t::replace) + '\n'),
              std::pair("report.md", markdown(report))}) {
            formats::AtomicFile file(std::filesystem::path(options.out) / name);
            file.stream() << text;
            file.commit();
        }
    }

    void test(const char* name, const QStringList& functions, double seconds) {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("WARPLIGHT_TABLE_DEVICE", "cuda:0");
        environment.insert("WARPLIGHT_TABLE", options.small ? "" : "full");
        const Outcome outcome =
            programs.run(program(fmt::format("test_{}", name).c_str()), functions, seconds, true, environment);
        json result = testResult(outcome.output);
        result["name"] = name;
        report["tests"].push_back(std::move(result));
        note(name, outcome);
    }

    /// Runs a page on the GPU; what it showed, also of a run that was stopped; nothing if it did not get to showing.
    std::optional<lab::RunRecord> showPage(const PageRun& page) {
        const std::string name =
            fmt::format("{}{}", page.experiment,
                        ++runsSoFar[page.experiment] > 1 ? fmt::format(" {}", runsSoFar[page.experiment]) : "");
        std::string file = name + ".warplight";
        std::replace(file.begin(), file.end(), ' ', '-');
        const std::filesystem::path session = sessions / file;
        QStringList arguments{"run",    QString::fromStdString(page.experiment), "--device", "cuda:0",
                              "--save", QString::fromStdString(session.string())};
        for (const std::string& setting : page.settings)
            arguments << "--set" << QString::fromStdString(setting);
        note(name, programs.run(program("warplight-cli"), arguments, page.atMostSeconds, true));
        if (!std::filesystem::exists(session))
            return std::nullopt;
        lab::RunRecord record = lab::openSession(session).runs.front();
        for (const lab::Log& log : record.logs())
            if (log.level == lab::Log::Level::Warning)
                report["notes"].push_back(fmt::format("{}: {}", name, log.text));
        return record;
    }

    /// NVIDIA's tool if this machine has it, else "" and a note.
    QString tool(const QString& name) {
        QStringList places{"/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer"};
        for (const QString& version : QDir("/opt/nvidia/nsight-compute").entryList(QDir::Dirs | QDir::NoDotAndDotDot))
            places << "/opt/nvidia/nsight-compute/" + version;
        QString found = QStandardPaths::findExecutable(name);
        if (found.isEmpty())
            found = QStandardPaths::findExecutable(name, places);
        if (found.isEmpty())
            report["notes"].push_back(fmt::format("{} was not found here", name.toStdString()));
        return found;
    }

    QStringList underTool(const QString& name) const {
        return programs.loader() + QStringList{program(name.toUtf8().constData())};
    }

    void sanitizers() {
        const QString sanitizer = tool("compute-sanitizer");
        if (sanitizer.isEmpty())
            return;
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("WARPLIGHT_TABLE_DEVICE", "cuda:0");
        for (const char* check : {"memcheck", "racecheck", "initcheck", "synccheck"})
            note(fmt::format("compute-sanitizer {}", check),
                 programs.run(sanitizer,
                              QStringList{"--tool", check, "--error-exitcode", "9"} +
                                  underTool("test_operator_table_test") + QStringList{"onAGpu"},
                              40, false, environment),
                 true);
    }

    /// What ncu writes about our kernels is read back by our own page.
    void nsightCompute() {
        const QString ncu = tool("ncu");
        if (ncu.isEmpty())
            return;
        const QString csv = QString::fromStdString((std::filesystem::path(options.out) / "ncu.csv").string());
        const QStringList metrics{"gpu__time_duration.sum", "dram__bytes_read.sum", "dram__bytes_write.sum",
                                  "lts__t_bytes.sum", "l1tex__t_bytes.sum"};
        const Outcome outcome =
            programs.run(ncu,
                         QStringList{"--csv", "--page", "raw", "--print-units", "base", "--log-file", csv, "--metrics",
                                     metrics.join(','), "--launch-count", "24"} +
                             underTool("warplight-cli") +
                             QStringList{"run", "attention.race", "--device", "cuda:0", "--set",
                                         options.small ? "seqLen=64" : "seqLen=2048", "--set", "heads=8"},
                         60, false);
        note("ncu", outcome, true);
        if (outcome.passed())
            note("ncu's file on our page",
                 programs.run(program("warplight-cli"), {"run", "profile.open", "--set", "file=" + csv}, 20, true));
    }

    const Options& options;
    Programs programs;
    std::filesystem::path sessions;
    json report;
    int ran = 0;
    std::vector<std::string> failed;
    std::map<std::string, int> runsSoFar;
};

} // namespace

int main(int argc, char** argv) {
    const QCoreApplication application(argc, argv);
    CLI::App app("Checks Warplight on the NVIDIA GPU that is here");
    Options options;
    app.add_option("--programs", options.programs, "Folder with warplight-cli and the tests")->required();
    app.add_option("--out", options.out, "Folder for report.json, report.md and the sessions")->required();
    app.add_option("--loader", options.loader, "Words before each program: a dynamic loader with its options");
    app.add_option("--seconds", options.seconds, "For everything together")->check(CLI::PositiveNumber);
    app.add_flag("--small", options.small, "Small sizes, for the stand-in driver");
    CLI11_PARSE(app, argc, argv);
    try {
        return Check(options).run();
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
