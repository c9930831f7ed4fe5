// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/pdf_report.h"

#include "app/report/print_figure.h"
#include "app/report/report_text.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"

#include <QBuffer>
#include <QFontMetricsF>
#include <QObject>
#include <QPainter>
#include <QPdfWriter>
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

constexpr int small = 10, plain = 12;

/// A line of the contents; the page is known when all are laid out.
struct Entry {
    QString title;
    bool run; ///< else a figure of it
    size_t page = 0;
};

/// A report that is being laid out, then drawn.
struct Print {
    QString title;
    Paper paper;
    std::vector<Entry> entries;
    size_t painted = 0; ///< pages
};

/// In the contents and on paper.
bool isPrinted(const lab::Figure& figure) { return !std::holds_alternative<lab::Metric>(figure.content); }

void placeEntry(const std::shared_ptr<Print>& print, size_t index) {
    const Entry& entry = print->entries[index];
    const QFont font = textFont(entry.run ? plain : 11, entry.run ? QFont::DemiBold : QFont::Normal);
    // The print owns the paper that owns this.
    print->paper.place(lineHeight(font) + (entry.run ? 6 : 1), [print = print.get(), index, font](QPainter& painter,
                                                                                                  const QRectF& box) {
        const Entry& shown = print->entries[index];
        const QFontMetricsF metrics(font);
        const QString number = QString::number(shown.page + 1);
        const double left = box.left() + (shown.run ? 0 : 16), right = box.right() - metrics.horizontalAdvance(number);
        const double y = box.bottom() - metrics.descent() - 1;
        const QString title = metrics.elidedText(shown.title, Qt::ElideRight, right - left - 24);
        painter.setFont(font);
        painter.setPen(Theme::current().ink);
        painter.drawText(QPointF(left, y), title);
        painter.drawText(QPointF(right, y), number);
        painter.setPen(QPen(Theme::current().line, 1, Qt::DotLine));
        painter.drawLine(QPointF(left + metrics.horizontalAdvance(title) + 6, y), QPointF(right - 6, y));
    });
}

/// Title, findings, contents.
void placeFront(const std::shared_ptr<Print>& print, const std::vector<lab::RunRecord>& runs) {
    const Theme& theme = Theme::current();
    Paper& paper = print->paper;
    paper.text(print->title, textFont(24, QFont::Bold), theme.ink);
    paper.text(QObject::tr("A report by Warplight. Every number says whether it was measured, counted, modelled or "
                           "is a reference."),
               textFont(11), theme.muted);
    paper.gap(18);
    paper.text(QObject::tr("Findings"), textFont(16, QFont::Bold), theme.ink);
    paper.gap(4);
    if (runs.empty())
        paper.text(QObject::tr("The session holds no run."), textFont(plain), theme.ink);
    for (const auto& run : runs) {
        paper.text(findings(run), textFont(plain), theme.ink);
        paper.gap(6);
    }
    if (runs.empty())
        return;
    paper.gap(14);
    paper.need(80);
    paper.text(QObject::tr("Contents"), textFont(16, QFont::Bold), theme.ink);
    for (size_t i = 0; i < print->entries.size(); ++i)
        placeEntry(print, i);
}

/// Names and values, in two columns of about the same height: as they follow one another, left, then right.
void placePairs(Paper& paper, const Pairs& pairs) {
    constexpr double between = 24, nameShare = 0.36;
    const double half = (paper.width() - between) / 2, nameWidth = nameShare * half;
    const QFont font = textFont(small);
    const double pitch = lineHeight(font), ascent = QFontMetricsF(font).ascent();
    struct Line {
        QString name, value;
    };
    std::vector<std::vector<Line>> blocks;
    size_t lines = 0;
    for (const auto& [name, value] : pairs) {
        const QStringList names = wrapped(name, font, nameWidth - 8), values = wrapped(value, font, half - nameWidth);
        std::vector<Line> block(static_cast<size_t>(std::max(names.size(), values.size())));
        for (size_t i = 0; i < block.size(); ++i)
            block[i] = {names.value(static_cast<qsizetype>(i)), values.value(static_cast<qsizetype>(i))};
        lines += block.size();
        blocks.push_back(std::move(block));
    }
    std::array<std::vector<Line>, 2> columns;
    for (const auto& block : blocks) {
        auto& column = columns[columns[1].empty() && columns[0].size() + block.size() / 2 < (lines + 1) / 2 ? 0 : 1];
        column.insert(column.end(), block.begin(), block.end());
    }
    for (size_t i = 0; i < std::max(columns[0].size(), columns[1].size()); ++i) {
        std::array<Line, 2> row;
        for (size_t c = 0; c < 2; ++c)
            row[c] = i < columns[c].size() ? columns[c][i] : Line();
        paper.place(pitch, [=](QPainter& painter, const QRectF& box) {
            painter.setFont(font);
            for (size_t c = 0; c < 2; ++c) {
                const double left = box.left() + static_cast<double>(c) * (half + between);
                painter.setPen(Theme::current().muted);
                painter.drawText(QPointF(left, box.top() + ascent), row[c].name);
                painter.setPen(Theme::current().ink);
                painter.drawText(QPointF(left + nameWidth, box.top() + ascent), row[c].value);
            }
        });
    }
}

/// Headline numbers, three a row.
void placeMetrics(Paper& paper, const lab::RunRecord& run) {
    struct Tile {
        QString number;
        QStringList words;
    };
    constexpr size_t across = 3;
    const double width = (paper.width() - 20 * (across - 1)) / across;
    const QFont strong = textFont(18, QFont::DemiBold), font = textFont(small);
    std::vector<Tile> tiles;
    for (const auto& figure : run.figures())
        if (const auto* metric = std::get_if<lab::Metric>(&figure.content))
            tiles.push_back(
                {metricText(*metric),
                 wrapped(QString("%1 (%2)").arg(
                             QString::fromStdString(metric->caption.empty() ? figure.title : metric->caption),
                             badgeText(metric->provenance)),
                         font, width)});
    for (size_t i = 0; i < tiles.size(); i += across) {
        const std::vector<Tile> row(tiles.begin() + static_cast<ptrdiff_t>(i),
                                    tiles.begin() + static_cast<ptrdiff_t>(std::min(i + across, tiles.size())));
        qsizetype most = 0;
        for (const Tile& tile : row)
            most = std::max(most, tile.words.size());
        paper.gap(8);
        paper.place(lineHeight(strong) + static_cast<double>(most) * lineHeight(font),
                    [=](QPainter& painter, const QRectF& box) {
                        double x = box.left();
                        for (const Tile& tile : row) {
                            double y = box.top() + QFontMetricsF(strong).ascent();
                            painter.setFont(strong);
                            painter.setPen(Theme::current().ink);
                            painter.drawText(QPointF(x, y), tile.number);
                            y = box.top() + lineHeight(strong) + QFontMetricsF(font).ascent();
                            painter.setFont(font);
                            painter.setPen(Theme::current().muted);
                            for (const QString& line : tile.words) {
                                painter.drawText(QPointF(x, y), line);
                                y += lineHeight(font);
                            }
                            x += width + 20;
                        }
                    });
    }
}

/// All of a run but its figures. Returns the page that it begins.
size_t placeRun(Paper& paper, const lab::RunRecord& run, const ReportOptions& options) {
    const Theme& theme = Theme::current();
    paper.turn(false);
    paper.newPage();
    const size_t begun = paper.page();
    paper.text(runName(run), textFont(20, QFont::Bold), theme.ink);
    paper.gap(4);
    Pairs pairs = circumstances(run, options);
    for (auto& pair : settingsOf(run))
        pairs.push_back(std::move(pair));
    placePairs(paper, pairs);
    placeMetrics(paper, run);
    if (!run.logs().empty())
        paper.gap(10);
    for (const auto& log : run.logs()) {
        const bool warns = log.level == lab::Log::Level::Warning;
        paper.text((warns ? QObject::tr("Warning: ") : QString()) + QString::fromStdString(log.text), textFont(11),
                   warns ? theme.ink : theme.muted);
    }
    if (run.ended() && run.ended()->outcome == lab::RunEnded::Outcome::Failed) {
        paper.gap(10);
        paper.text(QObject::tr("The run failed: %1").arg(QString::fromStdString(run.ended()->message)), textFont(plain),
                   theme.danger);
    }
    return begun;
}

/// Work that lays out, a part a turn: contents are counted first, their pages are known at the end.
std::vector<std::function<bool()>> layoutWork(const std::shared_ptr<Print>& print,
                                              const std::vector<lab::RunRecord>& runs, const ReportOptions& options) {
    std::vector<std::function<bool()>> work;
    print->title = reportTitle(runs, options);
    for (const auto& run : runs) {
        print->entries.push_back(
            {runName(run) + (run.start().device.empty()
                                 ? QString()
                                 : QObject::tr(" on ") + QString::fromStdString(run.start().device)),
             true});
        for (const auto& figure : run.figures())
            if (isPrinted(figure))
                print->entries.push_back({QString::fromStdString(figure.title), false});
    }
    work.push_back([print, &runs] {
        placeFront(print, runs);
        return true;
    });
    size_t next = 0;
    for (const auto& run : runs) {
        work.push_back([print, &run, options, entry = next++] {
            print->entries[entry].page = placeRun(print->paper, run, options);
            return true;
        });
        for (const auto& figure : run.figures()) {
            if (!isPrinted(figure))
                continue;
            // Made in its turn: a table takes its rows then.
            auto printer = std::make_shared<std::function<bool(Paper&)>>();
            work.push_back([print, &run, &figure, printer, entry = next++] {
                if (!*printer)
                    *printer = figurePrinter(run, figure);
                const size_t before = print->paper.page();
                const size_t blocks = print->paper.pages().back().blocks.size();
                if (!(*printer)(print->paper))
                    return false;
                *printer = nullptr;
                // Where its first block is: on the page that was there, or on the one after.
                print->entries[entry].page = print->paper.pages()[before].blocks.size() > blocks
                                                 ? before
                                                 : std::min(before + 1, print->paper.page());
                return true;
            });
        }
    }
    return work;
}

/// The file, complete or not at all.
struct Output {
    explicit Output(const QString& file) : target(file.toStdString()) {}

    /// A page, or the end. Returns whether that was all.
    bool paintNext(Print& print) {
        const bool landscape = print.paper.pages()[print.painted].landscape;
        const auto turned = landscape ? QPageLayout::Landscape : QPageLayout::Portrait;
        if (!writer) {
            bytes.open(QIODevice::WriteOnly);
            writer.emplace(&bytes);
            writer->setResolution(static_cast<int>(Paper::resolution));
            writer->setTitle(print.title);
            constexpr double margin = Paper::marginMillimetres;
            writer->setPageLayout(QPageLayout(QPageSize(QPageSize::A4), turned,
                                              QMarginsF(margin, margin, margin, margin), QPageLayout::Millimeter));
            painter.emplace(&*writer);
        } else {
            writer->setPageOrientation(turned);
            writer->newPage();
        }
        print.paper.paint(print.painted++, *painter, print.title);
        if (print.painted < print.paper.pages().size())
            return false;
        painter.reset();
        writer.reset();
        return true;
    }
    void write() {
        target.stream().write(bytes.data().constData(), bytes.data().size());
        target.commit();
    }

    formats::AtomicFile target;
    QBuffer bytes;
    std::optional<QPdfWriter> writer;
    std::optional<QPainter> painter;
};

} // namespace

ReportPieces pdfPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options) {
    const auto print = std::make_shared<Print>();
    const auto out = std::make_shared<Output>(file);
    ReportPieces pieces;
    for (auto& work : layoutWork(print, runs, options))
        pieces.push_back({true, std::move(work)});
    for (const size_t step : {1, 2, 3, 4}) // quarters, so that somebody who waits sees it go on
        pieces.push_back({true, [=] {
                              const size_t all = print->paper.pages().size();
                              return print->painted >= all * step / 4 ||
                                     (out->paintNext(*print), print->painted >= all * step / 4);
                          }});
    pieces.push_back({false, [=] {
                          out->write();
                          return true;
                      }});
    return pieces;
}

std::shared_ptr<const Paper> pagesOf(const std::vector<lab::RunRecord>& runs, const ReportOptions& options) {
    const auto print = std::make_shared<Print>();
    for (const auto& work : layoutWork(print, runs, options))
        while (!work())
            ;
    return {print, &print->paper};
}

} // namespace warplight::app
