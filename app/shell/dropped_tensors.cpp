// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/shell/dropped_tensors.h"

#include "core/error.h"
#include "core/formats/tensor_file.h"

#include <QDir>
#include <QFileInfo>
#include <string>
#include <string_view>
#include <vector>

#include <algorithm>

namespace warplight::app {
namespace {

struct Candidate {
    std::string spec; ///< FILE or FILE:name
    QString name;     ///< of the tensor, or of the file when it holds just one
};

std::vector<Candidate> candidatesOf(const QStringList& files) {
    std::vector<Candidate> candidates;
    for (const QString& file : files) {
        const auto entries = formats::listTensors(file.toStdString());
        for (const auto& entry : entries) {
            if (entry.shape.size() < 2)
                continue; // a scale, a flag: no Q or K
            const bool alone = entries.size() == 1;
            candidates.push_back({alone ? file.toStdString() : file.toStdString() + ":" + entry.name,
                                  alone ? QFileInfo(file).completeBaseName() : QString::fromStdString(entry.name)});
        }
    }
    if (candidates.empty())
        throw InputError(files.join(", ").toStdString() + ": holds no tensor of two or more axes, expected Q and K");
    return candidates;
}

/// "q", "layer.7.q", "Q_proj" are names for "q".
bool fits(const QString& name, const QString& wanted) {
    const QString last = name.section('.', -1);
    return last.startsWith(wanted, Qt::CaseInsensitive) &&
           (last.size() == wanted.size() || !last[wanted.size()].isLetter());
}

/// The patterns of the parameter that dropped files go to: "*.npy", "*.npz". Of several filters ("text (*.txt);;JSON
/// (*.json)") the first, or all of them: the others are for the page itself, where no other page is meant.
QStringList patternsOf(const lab::Description& description, bool all) {
    QStringList patterns;
    for (const lab::Parameter& parameter : description.parameters)
        if (parameter.id == description.dropFiles)
            for (const QString& filter : QString::fromStdString(parameter.fileFilter).split(";;"))
                if (all || patterns.isEmpty())
                    patterns += filter.section('(', -1).section(')', 0, 0).split(' ', Qt::SkipEmptyParts);
    return patterns;
}

bool takes(const QStringList& patterns, const QString& file) {
    QString name = QFileInfo(file).fileName();
    if (name.endsWith(".safetensors.index.json", Qt::CaseInsensitive)) // a tensor file in several, by its table
        name.chop(static_cast<qsizetype>(std::string_view(".index.json").size()));
    return QDir::match(patterns, name);
}

/// The page that takes all of these files: `current` if it does, else the first.
const lab::Description& receiver(const QStringList& files, std::span<const lab::Description> experiments,
                                 const QString& current) {
    const lab::Description* first = nullptr;
    QStringList known;
    for (const lab::Description& description : experiments) {
        if (description.dropFiles.empty())
            continue;
        const bool isCurrent = QString::fromStdString(description.id) == current;
        const QStringList patterns = patternsOf(description, isCurrent);
        known += patterns;
        if (!std::all_of(files.begin(), files.end(), [&](const QString& file) { return takes(patterns, file); }))
            continue;
        if (isCurrent)
            return description;
        first = first ? first : &description;
    }
    if (!first)
        throw InputError(files.join(", ").toStdString() + ": no page takes this, expected " +
                         known.join(", ").toStdString());
    return *first;
}

/// The file parameters that take what the page's dropped files are.
std::vector<const lab::Parameter*> rolesOf(const lab::Description& page) {
    std::string filter;
    for (const lab::Parameter& parameter : page.parameters)
        filter = parameter.id == page.dropFiles ? parameter.fileFilter : filter;
    std::vector<const lab::Parameter*> roles;
    for (const lab::Parameter& parameter : page.parameters)
        if (parameter.type == lab::Parameter::Type::File && parameter.fileFilter == filter)
            roles.push_back(&parameter);
    return roles;
}

} // namespace

DroppedTensors settingsForDropped(const QStringList& files, std::span<const lab::Description> experiments,
                                  const QString& current) {
    const lab::Description& to = receiver(files, experiments, current);
    const std::vector<const lab::Parameter*> roles = rolesOf(to);
    DroppedTensors result{QString::fromStdString(to.id), {}};
    // What shows a field is how its page is asked for files.
    for (const lab::Parameter* role : roles)
        if (!role->shownWhen.empty() && !role->shownWhen.front().negated)
            result.settings[role->shownWhen.front().id] = role->shownWhen.front().values.front();
    if (roles.size() == 1) { // a file is one setting, not a collection of tensors
        if (files.size() > 1)
            throw InputError(files.join(", ").toStdString() + ": " + to.title + " takes one file at a time");
        result.settings[to.dropFiles] = files.front().toStdString();
        return result;
    }
    std::vector<Candidate> candidates = candidatesOf(files);
    const std::string only = candidates.size() == 1 ? candidates.front().spec : std::string();
    std::vector<std::string> unfilled;
    for (const lab::Parameter* role : roles) {
        const QString wanted = QString::fromStdString(role->id).remove("File");
        const auto found = std::find_if(candidates.begin(), candidates.end(),
                                        [&](const Candidate& candidate) { return fits(candidate.name, wanted); });
        if (found == candidates.end()) {
            unfilled.push_back(role->id);
            continue;
        }
        result.settings[role->id] = found->spec;
        candidates.erase(found);
    }
    for (const std::string& id : unfilled) {
        if (!candidates.empty()) {
            result.settings[id] = candidates.front().spec;
            candidates.erase(candidates.begin());
        } else if (!only.empty()) {
            result.settings[id] = only;
        }
    }
    return result;
}

} // namespace warplight::app
