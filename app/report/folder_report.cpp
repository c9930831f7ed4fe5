// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/folder_report.h"

#include "app/report/picture.h"
#include "core/error.h"
#include "core/formats/atomic_file.h"
#include "core/lab/figure_csv.h"
#include "core/lab/json.h"
#include "core/lab/timeline_trace.h"

#include <QBuffer>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QImage>
#include <QRegularExpression>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace warplight::app {
namespace {

/// Files and folders in the making: those that are new go with it, unless they are kept.
class NewFiles {
  public:
    NewFiles() = default;
    ~NewFiles() {
        for (const QString& file : files)
            QFile::remove(file);
        for (const QString& folder : folders)
            QDir().rmdir(folder); // only an empty one
    }
    NewFiles(const NewFiles&) = delete;
    NewFiles& operator=(const NewFiles&) = delete;

    void makeFolder(const QString& folder) {
        if (folder.isEmpty())
            throw InputError("\"\": expected the name of a folder");
        QStringList missing; // the innermost first
        for (QString each = QDir::cleanPath(QFileInfo(folder).absoluteFilePath()); !QFileInfo::exists(each);
             each = QFileInfo(each).path())
            missing << each;
        folders = missing + folders;
        if (!QDir().mkpath(folder))
            throw InputError((folder + ": cannot be made, expected a folder that allows writing").toStdString());
    }
    /// To be called before a file is written. Gives it back as files are named elsewhere.
    std::string begin(const QString& file) {
        if (const QFileInfo there(file); !there.exists() && !there.isSymLink())
            files << file;
        return file.toStdString();
    }
    void write(const QString& file, std::string_view bytes) {
        formats::AtomicFile out(begin(file));
        out.stream() << bytes;
        out.commit();
    }
    void keep() {
        files.clear();
        folders.clear();
    }

  private:
    QStringList files, folders;
};

void writeNumbers(NewFiles& out, const lab::RunRecord& run, const lab::Figure& figure, const QString& base) {
    out.write(base + ".json",
              lab::toJson(figure, true).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n');
    if (const std::string csv = lab::figureCsv(run, figure); !csv.empty())
        out.write(base + ".csv", csv);
    if (const auto* timeline = std::get_if<lab::Timeline>(&figure.content))
        lab::saveTimelineTrace(*timeline, out.begin(base + ".trace.json"));
}

/// An id as the name of a file or folder: a session from elsewhere may hold one that leads out of the folder.
QString nameFor(const std::string& id) {
    constexpr qsizetype longest = 100;
    static const QRegularExpression others("[^A-Za-z0-9._-]|^\\.+");
    return QString::fromStdString(id).left(longest).replace(others, "_");
}

struct Drawn {
    QString svg;
    Drawing drawing;
};

void writePictures(NewFiles& out, const Drawn& drawn, const QString& base) {
    out.write(base + ".svg", drawn.svg.toStdString());
    QBuffer png;
    png.open(QIODevice::WriteOnly);
    if (!imageOf(drawn.drawing).save(&png, "PNG"))
        throw std::runtime_error((base + ".png: the picture could not be made, it may be too large").toStdString());
    out.write(base + ".png", png.data().toStdString());
}

} // namespace

ReportPieces folderPieces(const std::vector<lab::RunRecord>& runs, const QString& target) {
    const auto out = std::make_shared<NewFiles>();
    out->makeFolder(target);
    ReportPieces pieces;
    const auto add = [&](bool draws, auto work) {
        pieces.push_back({draws, [work] {
                              work();
                              return true;
                          }});
    };
    int number = 0;
    for (const lab::RunRecord& run : runs) {
        const QString folder = QString("%1/%2-%3").arg(target).arg(++number).arg(nameFor(run.start().experiment));
        add(false, [=] { out->makeFolder(folder); });
        for (const lab::Figure& figure : run.figures()) {
            const QString base = folder + '/' + nameFor(figure.id);
            const auto drawn = std::make_shared<Drawn>();
            add(true, [=, &run, &figure] { drawn->svg = pictureSvg(run, figure); });
            add(true, [=, &run, &figure] { drawn->drawing = drawingOf(run, figure); });
            add(false, [=, &run, &figure] {
                writeNumbers(*out, run, figure, base);
                writePictures(*out, std::exchange(*drawn, Drawn()), base);
            });
        }
    }
    add(false, [out] { out->keep(); });
    return pieces;
}

} // namespace warplight::app
