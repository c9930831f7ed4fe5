// SPDX-License-Identifier: GPL-3.0-or-later
// Where there is no MPI, one sentence says what to install.
#include "core/collectives/mpi_job.h"
#include "core/collectives/processes.h"
#include "core/error.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

using namespace warplight;
using namespace warplight::collectives;

class MpiMissingTest : public QObject {
    Q_OBJECT

  private slots:
    void programBuiltWithoutMpiSaysSo() {
#ifndef WARPLIGHT_HAS_MPI
        QVERIFY(whyNoMpi().find("libopenmpi-dev") != std::string::npos);
#endif
        qputenv("WARPLIGHT_RANK", "/nonexistent/warplight-rank");
        const std::string why = whyNoMpi();
        QVERIFY2(why.find("libopenmpi-dev") != std::string::npos, why.c_str());
        QVERIFY_EXCEPTION_THROWN(ProcessRanks(2), InputError);
        qunsetenv("WARPLIGHT_RANK");
    }

    void machineWithoutMpirunSaysSo() {
        qputenv("WARPLIGHT_RANK", "/bin/true");
        const QByteArray path = qgetenv("PATH");
        qputenv("PATH", "/nonexistent:");
        const std::string why = whyNoMpi();
        std::string thrown;
        try {
            runOnProcesses({}, {{}, {}}, {});
        } catch (const InputError& error) {
            thrown = error.what();
        }
        qputenv("PATH", path);
        qunsetenv("WARPLIGHT_RANK");
        QCOMPARE(why, std::string("There is no mpirun on the PATH: install openmpi-bin."));
        QCOMPARE(thrown, why);
    }

    void emptyFoldersOfProcessesThatAreGoneGo() {
        const pid_t gone = ::fork();
        if (gone == 0)
            ::_exit(0);
        ::waitpid(gone, nullptr, 0);
        QTemporaryDir folder;
        const QDir in(folder.path());
        const QString left = QString("warplight-mpi-%1-").arg(gone), lives = QString("warplight-mpi-%1-").arg(getpid());
        for (const QString& name :
             {left + "aaaaaa", left + "bbbbbb/ompi.host.0/pid.1", left + "cccccc/used", lives + "dddddd",
              QString("warplight-mpi-"), QString("warplight-mpi-x-eeeeee"), QString("another")})
            QVERIFY(in.mkpath(name));
        QFile kept(in.filePath(left + "cccccc/used/segment"));
        QVERIFY(kept.open(QIODevice::WriteOnly));
        QVERIFY(QFile::link(in.filePath("another"), in.filePath(left + "ffffff")));
        removeLeftFolders(folder.path().toStdString());
        QStringList expected{"another",        left + "cccccc",  left + "ffffff",
                             lives + "dddddd", "warplight-mpi-", "warplight-mpi-x-eeeeee"};
        expected.sort();
        QStringList names = in.entryList(QDir::Dirs | QDir::NoDotAndDotDot);
        names.sort();
        QCOMPARE(names, expected);
        QVERIFY(kept.exists());
        removeLeftFolders("/no/such/folder");
    }

#ifdef WARPLIGHT_HAS_MPI
    void nothingIsMissingWhereItWasBuilt() { QCOMPARE(whyNoMpi(), std::string()); }
#endif
};

QTEST_GUILESS_MAIN(MpiMissingTest)
#include "mpi_missing_test.moc"
