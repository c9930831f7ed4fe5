// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QDir>
#include <QFile>

#include <string>
#include <unistd.h>
#include <vector>

namespace warplight::test {

/// A process that runs for the program `program`: a rank's (two each), or mpirun.
struct OurProcess {
    pid_t pid;
    bool isMpirun;
    pid_t parent;
};

/// All that are there. Ranks and mpirun carry the program's id in their command lines; those that have ended and wait
/// to be noticed by their parent have none any more.
inline std::vector<OurProcess> processesOf(pid_t program) {
    std::vector<OurProcess> found;
    for (const QString& name : QDir("/proc").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        bool isNumber = false;
        const pid_t pid = name.toInt(&isNumber);
        if (!isNumber)
            continue;
        QFile line("/proc/" + name + "/cmdline"), status("/proc/" + name + "/stat");
        if (!line.open(QIODevice::ReadOnly) || !status.open(QIODevice::ReadOnly))
            continue;
        const QList<QByteArray> words = line.readAll().split('\0');
        for (qsizetype i = 0; i + 1 < words.size(); ++i)
            if (words[i].endsWith("warplight-rank") && words[i + 1].toInt() == program) {
                const QByteArray numbers = status.readAll();
                const pid_t parent = numbers.mid(numbers.lastIndexOf(')') + 2).split(' ').value(1).toInt();
                found.push_back({pid, i > 0, parent});
                break;
            }
    }
    return found;
}

inline pid_t mpirunOf(pid_t program) {
    for (const OurProcess& each : processesOf(program))
        if (each.isMpirun)
            return each.pid;
    return -1;
}

/// Children of this process that have ended without having been waited for.
inline int zombies() {
    int count = 0;
    for (const QString& name : QDir("/proc").entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        QFile status("/proc/" + name + "/stat");
        if (name.toInt() <= 0 || !status.open(QIODevice::ReadOnly))
            continue;
        const QByteArray numbers = status.readAll();
        const QList<QByteArray> fields = numbers.mid(numbers.lastIndexOf(')') + 2).split(' ');
        count += fields.value(0) == "Z" && fields.value(1).toInt() == getpid();
    }
    return count;
}

} // namespace warplight::test
