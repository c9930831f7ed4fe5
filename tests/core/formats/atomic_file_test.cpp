// SPDX-License-Identifier: GPL-3.0-or-later
// What may stand at a name that is written to, and what stands there afterwards.
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/formats/npz.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>
#include <ostream>
#include <stdexcept>
#include <string>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace warplight;
using namespace warplight::formats;

namespace {

QByteArray bytesOf(const QString& file) {
    QFile in(file);
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray("(cannot be read)");
}

void write(const std::string& file, const std::string& text) {
    AtomicFile out(file);
    out.stream() << text;
    out.commit();
}

struct stat statusOf(const std::string& file) {
    struct stat status {};
    ::lstat(file.c_str(), &status);
    return status;
}

std::string refusal(const std::function<void()>& work) {
    try {
        work();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

} // namespace

class AtomicFileTest : public QObject {
    Q_OBJECT
    std::unique_ptr<QTemporaryDir> folder;

    std::string path(const char* name) const { return folder->filePath(name).toStdString(); }
    QStringList names() const {
        return QDir(folder->path()).entryList(QDir::AllEntries | QDir::System | QDir::Hidden | QDir::NoDotAndDotDot);
    }

  private slots:
    void init() { folder = std::make_unique<QTemporaryDir>(); }

    void aNewFileHasTheUsualPermissions() {
        const mode_t mask = ::umask(022);
        write(path("new"), "text");
        ::umask(mask);
        QCOMPARE(bytesOf(folder->filePath("new")), QByteArray("text"));
        QCOMPARE(statusOf(path("new")).st_mode & 07777, mode_t{0644});
        QCOMPARE(names(), QStringList{"new"});
    }

    void aReplacedFileKeepsItsPermissions() {
        for (const mode_t mode : {0600, 0640, 0755}) {
            write(path("file"), "old");
            ::chmod(path("file").c_str(), mode);
            write(path("file"), "new");
            QCOMPARE(bytesOf(folder->filePath("file")), QByteArray("new"));
            QCOMPARE(statusOf(path("file")).st_mode & 07777, mode);
        }
        if (::geteuid() == 0) { // who may give files away keeps the owner
            QCOMPARE(::chown(path("file").c_str(), 12345, 54321), 0);
            write(path("file"), "newer");
            QCOMPARE(statusOf(path("file")).st_uid, uid_t{12345});
            QCOMPARE(statusOf(path("file")).st_gid, gid_t{54321});
        }
    }

    void withoutCommitTheOldFileStaysAndNothingElse() {
        write(path("file"), "old");
        {
            AtomicFile out(path("file"));
            out.stream() << "half";
            out.stream().flush();
        }
        QCOMPARE(bytesOf(folder->filePath("file")), QByteArray("old"));
        QCOMPARE(names(), QStringList{"file"});
    }

    void aKilledWriterLeavesTheOldFile() {
        write(path("file"), "old");
        if (const pid_t child = ::fork(); child == 0) {
            AtomicFile out(path("file"));
            out.stream() << std::string(1 << 20, 'x') << std::flush;
            ::kill(::getpid(), SIGKILL);
        } else {
            ::waitpid(child, nullptr, 0);
        }
        QCOMPARE(bytesOf(folder->filePath("file")), QByteArray("old"));
        const int nameless = ::open(folder->path().toUtf8().constData(), O_TMPFILE | O_WRONLY, 0600);
        if (nameless < 0)
            QSKIP("This file system knows no files without a name.");
        ::close(nameless);
        QCOMPARE(names(), QStringList{"file"});
    }

    void ofALinkWhatItLeadsToIsWritten() {
        QDir(folder->path()).mkdir("there");
        write(path("there/file"), "old");
        ::chmod(path("there/file").c_str(), 0600);
        QCOMPARE(::symlink("there/file", path("link").c_str()), 0);
        QCOMPARE(::symlink("link", path("second").c_str()), 0);
        write(path("second"), "new");
        QCOMPARE(bytesOf(folder->filePath("there/file")), QByteArray("new"));
        QCOMPARE(statusOf(path("there/file")).st_mode & 07777, mode_t{0600});
        QVERIFY(S_ISLNK(statusOf(path("link")).st_mode) && S_ISLNK(statusOf(path("second")).st_mode));
    }

    void aLinkToNothingYetMakesTheFile() {
        QDir(folder->path()).mkdir("there");
        QCOMPARE(::symlink("there/new", path("link").c_str()), 0);
        write(path("link"), "text");
        QCOMPARE(bytesOf(folder->filePath("there/new")), QByteArray("text"));
        QVERIFY(S_ISLNK(statusOf(path("link")).st_mode));
    }

    void aLinkInACircleIsRefused() {
        QCOMPARE(::symlink("b", path("a").c_str()), 0);
        QCOMPARE(::symlink("a", path("b").c_str()), 0);
        QVERIFY(refusal([&] { checkWritable(path("a")); }).starts_with(path("a") + ": "));
    }

    void aPipeIsWrittenToAndStays() {
        QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
        const int reader = ::open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK);
        checkWritable(path("pipe"));
        write(path("pipe"), "through");
        std::array<char, 32> text{};
        QCOMPARE(::read(reader, text.data(), text.size()), ssize_t{7});
        ::close(reader);
        QCOMPARE(QByteArray(text.data()), QByteArray("through"));
        QVERIFY(S_ISFIFO(statusOf(path("pipe")).st_mode));
        QCOMPARE(names(), QStringList{"pipe"});
    }

    void aPipeThatNobodyReadsIsRefusedAtOnce() {
        QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
        QVERIFY(refusal([&] { write(path("pipe"), "nobody"); }).find("nobody reads") != std::string::npos);
        QVERIFY(S_ISFIFO(statusOf(path("pipe")).st_mode));
    }

    void aDeviceIsWrittenToAndStays() {
        write("/dev/null", "gone");
        writeNpz("/dev/null", {{"x", "y"}});
        QVERIFY(S_ISCHR(statusOf("/dev/null").st_mode));
        QCOMPARE(::symlink("/dev/null", path("link").c_str()), 0);
        write(path("link"), "gone");
        QVERIFY(S_ISLNK(statusOf(path("link")).st_mode));
        QVERIFY(S_ISCHR(statusOf("/dev/null").st_mode));
        // As root, so that it cannot be the system that keeps it: a device of one's own.
        if (::geteuid() == 0 && ::mknod(path("null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) {
            write(path("null"), "gone");
            QVERIFY(S_ISCHR(statusOf(path("null")).st_mode));
        }
    }

    void aFullDiskIsAnError() {
        QVERIFY_EXCEPTION_THROWN(write("/dev/full", "text"), std::runtime_error);
        QVERIFY(S_ISCHR(statusOf("/dev/full").st_mode));
        try {
            write("/dev/full", std::string(1 << 20, 'x'));
            QFAIL("a full disk took a megabyte");
        } catch (const InputError&) {
            QFAIL("it is not what was given that is wrong");
        } catch (const std::runtime_error& error) {
            QCOMPARE(std::string(error.what()), std::string("/dev/full: writing failed (No space left on device)"));
        }
    }

    void foldersSocketsAndMissingFoldersAreRefusedWithASentence() {
        QVERIFY(refusal([&] { checkWritable(path("")); }).find("folder") != std::string::npos);
        QVERIFY(refusal([&] { checkWritable(path("no/such/file")); }).starts_with(path("no/such/file") + ": "));
        QVERIFY(refusal([&] { checkWritable(""); }).find("file name") != std::string::npos);
        write(path("file"), "text");
        QVERIFY(!refusal([&] { checkWritable(path("file/below")); }).empty());
        const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un name{AF_UNIX, {}};
        QDir(folder->path()).mkdir("s");
        path("s/x").copy(name.sun_path, sizeof(name.sun_path) - 1);
        QCOMPARE(::bind(socket, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
        QVERIFY(refusal([&] { checkWritable(path("s/x")); }).find("socket") != std::string::npos);
        ::close(socket);
    }

    void whatMayNotBeWrittenIsRefused() {
        if (::geteuid() == 0)
            QSKIP("Root may write everywhere.");
        write(path("file"), "old");
        ::chmod(path("file").c_str(), 0444);
        QVERIFY(refusal([&] { checkWritable(path("file")); }).find("denied") != std::string::npos);
        ::chmod(path("").c_str(), 0555);
        QVERIFY(!refusal([&] { checkWritable(path("new")); }).empty());
        ::chmod(path("").c_str(), 0755);
    }

    void aNameAsLongAsNamesMayBeIsWritten() {
        const std::string name = path(std::string(255, 'n').c_str());
        write(name, "text");
        QCOMPARE(bytesOf(QString::fromStdString(name)), QByteArray("text"));
    }

    void foldersAreCheckedBeforeTheyAreMade() {
        checkWritableFolder(path("a/b/c"));
        checkWritableFolder(path("a/b/"));
        checkWritableFolder(path(""));
        QVERIFY(names().isEmpty());
        write(path("file"), "text");
        QVERIFY(refusal([&] { checkWritableFolder(path("file")); }).find("folder") != std::string::npos);
        QVERIFY(!refusal([&] { checkWritableFolder(path("file/below")); }).empty());
    }
};

QTEST_GUILESS_MAIN(AtomicFileTest)
#include "atomic_file_test.moc"
