// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/experiment.h"

#include <QStringList>
#include <string>

#include <map>
#include <span>

namespace warplight::app {

/// Where dropped files go, and the settings that put them there.
struct DroppedTensors {
    QString experiment;
    std::map<std::string, lab::Value> settings;
};

/// Finds the page that takes files of these names (`current` if it does, else the first), by the patterns of its file
/// parameter. A page with several of these gets the files' tensors in them: first those of a fitting name ("q" for
/// "qFile"), then the rest in order; a single tensor goes to all. A page with one gets one file. Settings that show
/// these parameters come along. Throws InputError naming the file that cannot be read or that no page takes, with the
/// patterns that are taken.
DroppedTensors settingsForDropped(const QStringList& files, std::span<const lab::Description> experiments,
                                  const QString& current);

} // namespace warplight::app
