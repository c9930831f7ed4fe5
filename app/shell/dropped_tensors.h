#pragma once

#include "core/lab/experiment.h"

#include <QStringList>

#include <map>
#include <span>

namespace warplight::app {

/// Where dropped tensor files go, and the settings that put them there.
struct DroppedTensors {
    QString experiment;
    std::map<std::string, lab::Value> settings;
};

/// Finds the page that takes tensor files (`current` if it does, else the first) and hands its file parameters the
/// tensors: first those of a fitting name ("q" for "qFile"), then the rest in order; a single tensor goes to all.
/// Throws InputError naming the file that cannot be read, or saying that no page takes files.
DroppedTensors settingsForDropped(const QStringList& files, std::span<const lab::Description> experiments,
                                  const QString& current);

} // namespace warplight::app
