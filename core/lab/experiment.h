// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/parameter.h"
#include "core/lab/run.h"
#include "gpu/host/memory_budget.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warplight::lab {

/// What an experiment says of itself.
struct Description {
    // Defined once, in experiment.cpp.
    Description();
    Description(const Description&);
    Description(Description&&) noexcept;
    Description& operator=(const Description&);
    Description& operator=(Description&&) noexcept;
    ~Description();

    std::string id;                   ///< "attention.race": lab, dot, page
    std::string lab;                  ///< "Attention"
    std::string title;                ///< "Race"
    std::string sentence;             ///< what the page shows, one sentence
    std::string question;             ///< the question it answers
    std::string about;                ///< Markdown: formulas and background for the settings panel
    std::vector<std::string> devices; ///< that can run it: {"cpu", "cuda"}
    std::vector<Parameter> parameters;
    /// Colour keys of its figures ("flash") and their slots of the palette, 0 to 12: the same on every page.
    std::map<std::string, int64_t> colours;
    std::string dropFiles; ///< id of the File parameter that dropped files of its pattern go to; empty = takes none
};

/// Whether an experiment runs on a device: "cuda" among its devices stands for every "cuda:N".
bool runsOn(const Description& description, std::string_view device);

class Experiment;
/// What an experiment says of itself beside some settings. `valuesFor` reads those of them that a description has; one
/// that is found may bring others along (a file its kernels, a kernel its arguments).
Description describedBeside(const Experiment& experiment,
                            const std::function<std::map<std::string, Value>(const Description&)>& valuesFor);

/// One page of a lab. Deterministic for a seed, but for measured times.
class Experiment {
  public:
    virtual ~Experiment() = default;
    virtual Description describe() const = 0;
    /// The parameters beside these values (text of a file in one may decide about others). Cheap: it is asked for while
    /// somebody types. Throws InputError as run() does.
    virtual std::vector<Parameter> parameters(const std::map<std::string, Value>& given) const;
    /// Does the work and emits figures. Looks at run.cancelled() at least every 50 ms. Throws Cancelled, InputError for
    /// settings that are wrong together or files that cannot be used, or any std::exception with a sentence.
    virtual void run(const Settings& settings, Run& run) = 0;
    /// How long run() will take about, in seconds: what takes under a second reruns by itself when a setting changes.
    virtual double estimatedSeconds(const Settings& settings) const = 0;
    /// What run() will hold at most on that device: refused before it starts when there is less. A little more than it
    /// really takes rather than less; what is the same for all runs (some 100 MB) is left out.
    virtual MemoryNeed neededMemory(const Settings& settings, const std::string& device) const = 0;
};

/// All experiments by id, in the order of registration.
class Registry {
  public:
    void add(std::unique_ptr<Experiment> experiment);
    Experiment& find(std::string_view id) const; ///< throws InputError listing the known ids
    std::vector<Experiment*> all() const;
    std::vector<Experiment*>
    ofLab(std::string_view lab) const; ///< by lower-case lab name or start of the id: "tools", "profile"

  private:
    std::vector<std::unique_ptr<Experiment>> experiments;
};

/// A run on a device that can be had; what `devices` lists.
struct DeviceInfo {
    std::string id;    ///< "cpu"
    std::string title; ///< "AMD EPYC, 2 cores"
    std::string detail;
    bool available = true;
};

} // namespace warplight::lab
