#include "app/report/pdf_report.h"

#include "app/report/html_report.h"
#include "app/report/picture.h"
#include "app/views/figure_view.h"
#include "app/views/theme.h"
#include "core/formats/atomic_file.h"

#include <QBuffer>
#include <QPainter>
#include <QPdfWriter>
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

constexpr int resolution = 96; // the views' own pixels
constexpr double gap = 14;

/// Puts blocks one under another and begins pages as they fill.
class Paper {
  public:
    explicit Paper(QPdfWriter& writer)
        : writer(writer), painter(&writer), page(0, 0, writer.width(), writer.height()) {}

    void text(const QString& words, const QFont& font, const QColor& colour) {
        if (words.isEmpty())
            return;
        painter.setFont(font);
        const QRectF needed = painter.boundingRect(QRectF(0, 0, page.width(), 1e5), Qt::TextWordWrap, words);
        const QRectF box = take(needed.height() + 4);
        painter.setFont(font);
        painter.setPen(colour);
        painter.drawText(box, Qt::TextWordWrap, words);
    }

    /// Title, picture and explanation; the title never stands alone at the foot of a page.
    void figure(const lab::RunRecord& run, const lab::Figure& figure) {
        constexpr double titleHeight = 40;
        const auto view = viewOf(run, figure);
        const QSizeF size = view->pictureSize();
        const double scale =
            std::min({1.0, page.width() / size.width(), (page.height() - titleHeight) / size.height()});
        y += gap;
        if (y + titleHeight + size.height() * scale > page.height())
            newPage();
        text(QString("%1  %2").arg(QString::fromStdString(figure.title), QString::fromStdString(figure.subtitle)),
             textFont(13, QFont::DemiBold), Theme::current().ink);
        const QRectF box = take(size.height() * scale);
        painter.save();
        painter.translate(box.topLeft());
        painter.scale(scale, scale);
        view->render(painter, QRectF(QPointF(), size));
        painter.restore();
        text(QString::fromStdString(figure.explain).remove('*').remove('`'), textFont(10), Theme::current().muted);
    }

    void newPage() {
        if (y > 0)
            writer.newPage();
        y = 0;
    }

  private:
    QRectF take(double height) {
        if (y > 0 && y + height > page.height())
            newPage();
        const QRectF box(0, y, page.width(), height);
        y += height;
        return box;
    }

    QPdfWriter& writer;
    QPainter painter;
    QRectF page;
    double y = 0;
};

QString sentence(const std::vector<std::pair<QString, QString>>& pairs) {
    QStringList parts;
    for (const auto& [name, value] : pairs)
        parts << QString("%1: %2").arg(name, value);
    return parts.join("  ·  ");
}

/// What is on paper so far; the file has it when it is complete.
struct Print {
    Print(const QString& file, const QString& title) : target(file.toStdString()) {
        out.open(QIODevice::WriteOnly);
        writer.emplace(&out);
        writer->setPageSize(QPageSize(QPageSize::A4));
        writer->setPageMargins(QMarginsF(18, 18, 18, 18), QPageLayout::Millimeter);
        writer->setResolution(resolution);
        writer->setTitle(title);
        paper.emplace(*writer);
    }

    void finish() {
        paper.reset();
        writer.reset();
    }
    void write() {
        target.stream().write(out.data().constData(), out.data().size());
        target.commit();
    }

    formats::AtomicFile target;
    QBuffer out;
    std::optional<QPdfWriter> writer;
    std::optional<Paper> paper;
};

void printTitle(Paper& paper, const QString& title) {
    paper.text(title, textFont(24, QFont::Bold), Theme::current().ink);
    paper.text(QObject::tr("A report by Warplight. Every number says whether it was measured, counted, modelled or "
                           "is a reference."),
               textFont(11), Theme::current().muted);
}

/// All but its figures.
void printRun(Paper& paper, const lab::RunRecord& run, const ReportOptions& options) {
    const Theme& theme = Theme::current();
    paper.text(QString::fromStdString(run.start().title), textFont(18, QFont::Bold), theme.ink);
    paper.text(sentence(circumstances(run, options)), textFont(10), theme.muted);
    paper.text(sentence(settingsOf(run)) + "\n", textFont(10), theme.muted);
    for (const auto& figure : run.figures())
        if (const auto* metric = std::get_if<lab::Metric>(&figure.content); metric && metric->value)
            paper.text(QString("%1   %2 (%3)")
                           .arg(numberText(*metric->value, QString::fromStdString(metric->unit),
                                           QString::fromStdString(metric->format)),
                                QString::fromStdString(metric->caption), badgeText(metric->provenance)),
                       textFont(13), theme.ink);
}

} // namespace

ReportPieces pdfPieces(const std::vector<lab::RunRecord>& runs, const QString& file, const ReportOptions& options) {
    const QString title = reportTitle(runs, options);
    const auto print = std::make_shared<Print>(file, title);
    ReportPieces pieces;
    const auto add = [&](auto draw) { pieces.push_back({true, draw}); };
    add([=] { printTitle(*print->paper, title); });
    for (const auto& run : runs) {
        if (&run != &runs.front())
            add([=] { print->paper->newPage(); });
        add([=, &run] { printRun(*print->paper, run, options); });
        for (const auto& figure : run.figures())
            if (!std::holds_alternative<lab::Metric>(figure.content))
                add([=, &run, &figure] { print->paper->figure(run, figure); });
    }
    add([=] { print->finish(); });
    pieces.push_back({false, [=] { print->write(); }});
    return pieces;
}

} // namespace warplight::app
