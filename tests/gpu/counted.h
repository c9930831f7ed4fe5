// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "gpu/device.h"
#include "gpu/ops/launcher.h"
#include "gpu/ops/traffic.h"

#include <QString>
#include <QTest>
#include <string>

/// What the virtual GPU has found and counted, against what it should be: nothing, or what differs.
namespace warplight::test {

/// Fails the test for what the virtual GPU's checks found.
inline void failOnFindings(const gpu::Launched& ran, bool notesToo = true) {
    for (const gpu::LaunchRecord& launch : ran.launches)
        for (const gpu::Finding& finding : launch.stats.findings)
            if (notesToo || !finding.note)
                QTest::qFail((launch.kernel + ": " + finding.message).c_str(), __FILE__, __LINE__);
}

/// Fails the test for findings, and for buffers that are still held.
inline void failUnlessClean(const gpu::Launched& ran, const gpu::Device& device) {
    failOnFindings(ran);
    if (!device.held().empty())
        QTest::qFail("a buffer was not released", __FILE__, __LINE__);
}

/// Each tensor's bytes are the formula's, no other tensor was touched, and none by less than it has to be.
inline QString otherThanFormula(const gpu::Launched& ran, const gpu::TensorTraffic& formula,
                                const gpu::TensorTraffic& compulsory) {
    const gpu::TensorTraffic counted = gpu::withoutEmpty(gpu::countedTraffic(ran));
    for (const auto& [tensor, bytes] : formula)
        if (!counted.contains(tensor) || !(counted.at(tensor) == bytes))
            return QString("%1: %2 read, %3 written by the formula; counted %4, %5")
                .arg(QString::fromStdString(tensor))
                .arg(bytes.read)
                .arg(bytes.written)
                .arg(counted.contains(tensor) ? counted.at(tensor).read : 0)
                .arg(counted.contains(tensor) ? counted.at(tensor).written : 0);
    if (counted.size() != formula.size())
        return QString("%1 tensors counted, %2 in the formula").arg(counted.size()).arg(formula.size());
    for (const auto& [tensor, bytes] : compulsory)
        if (!(bytes.total() <= counted.at(tensor).total()))
            return QString("%1: less than once").arg(QString::fromStdString(tensor));
    return {};
}

/// A line of a kernel whose accesses to shared memory take longer than is ideal; broadcast reads take less.
inline QString bankConflict(const gpu::LaunchRecord& launch) {
    for (const gpu::LineCount& line : launch.stats.lines)
        if (line.wavefronts > line.idealWavefronts)
            return QString("%1, %2:%3: %4 wavefronts, %5 without conflicts")
                .arg(QString::fromStdString(launch.kernel), QString::fromStdString(line.sourceFile))
                .arg(line.sourceLine)
                .arg(line.wavefronts)
                .arg(line.idealWavefronts);
    return {};
}

} // namespace warplight::test
