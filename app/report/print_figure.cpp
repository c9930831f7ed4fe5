// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/report/print_figure.h"

#include "app/report/picture.h"
#include "app/report/report_text.h"
#include "app/report/table_print.h"
#include "app/views/figure_view.h"
#include "app/views/scene_paint.h"
#include "app/views/theme.h"

#include <QFontMetricsF>
#include <QObject>
#include <QPainter>
#include <QTextDocument>
#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace warplight::app {
namespace {

constexpr int titleSize = 13, subtitleSize = 11, explainSize = 10;
constexpr double figureGap = 16, afterTitle = 6, beforeExplain = 4;
constexpr double lowestPicture = 180; ///< before a figure begins a page of its own
constexpr double mostSqueezed = 2.5;  ///< of the height that tracks of a timeline want
constexpr double codeScale = 0.84;    ///< of code of 12 pixels: 7.5 points
constexpr double mapShape = 1.2;      ///< of a map's width and height, with its scales
constexpr double frameGap = 14, captionPixels = 10;

QString qt(const std::string& text) { return QString::fromStdString(text); }

/// A part of a figure's height that is known before it is placed.
struct Words {
    QStringList title;
    std::shared_ptr<QTextDocument> explain;
    double width, titleHeight, explainHeight;

    Words(const lab::Figure& figure, double pageWidth)
        : title(wrapped(qt(figure.title) + (figure.subtitle.empty() ? QString() : "   " + qt(figure.subtitle)),
                        textFont(titleSize, QFont::DemiBold), pageWidth)),
          explain(prose(figure.explain, pageWidth, explainSize, Theme::current().muted)),
          width(pageWidth),
          titleHeight(static_cast<double>(title.size()) * lineHeight(textFont(titleSize)) + afterTitle),
          explainHeight(figure.explain.empty() ? 0 : explain->size().height() + beforeExplain) {}

    /// What belongs to the title is not as strong as it.
    void placeTitle(Paper& paper, const lab::Figure& figure) const {
        const qsizetype strong = qt(figure.title).size();
        paper.place(titleHeight, [=, lines = title](QPainter& painter, const QRectF& box) {
            double y = box.top() + QFontMetricsF(textFont(titleSize)).ascent();
            for (qsizetype i = 0; i < lines.size(); ++i, y += lineHeight(textFont(titleSize))) {
                const QString bold = i == 0 ? lines[i].left(strong) : QString(), rest = lines[i].mid(bold.size());
                painter.setFont(textFont(titleSize, QFont::DemiBold));
                painter.setPen(Theme::current().ink);
                painter.drawText(QPointF(box.left(), y), bold);
                const double x = box.left() + QFontMetricsF(painter.font()).horizontalAdvance(bold);
                painter.setFont(textFont(subtitleSize));
                painter.setPen(Theme::current().muted);
                painter.drawText(QPointF(x, y), rest);
            }
        });
    }
    void placeExplain(Paper& paper) const {
        if (explainHeight == 0)
            return;
        paper.gap(beforeExplain);
        paper.document(explain);
    }
};

/// The picture of a view, scaled to its place.
Paper::Draw drawView(const lab::RunRecord& run, const lab::Figure& figure, const QSizeF& size, double scale) {
    return [&run, &figure, size, scale](QPainter& painter, const QRectF& box) {
        painter.translate(box.topLeft());
        painter.scale(scale, scale);
        painter.setFont(textFont());
        viewOf(run, figure)->render(painter, QRectF(QPointF(), size / scale));
    };
}

void placePicture(Paper& paper, const lab::RunRecord& run, const lab::Figure& figure) {
    const auto* source = std::get_if<lab::Source>(&figure.content);
    paper.turn(source && source->panes.size() > 1);
    const Words words(figure, paper.width());
    const QSizeF natural = viewOf(run, figure)->pictureSize();
    const double around = words.titleHeight + words.explainHeight,
                 whole = Paper::room(paper.pages().back().landscape).height();
    const double scale = source ? codeScale : 1;
    const bool free = source || std::holds_alternative<lab::Timeline>(figure.content); // as high as what they hold
    double width = paper.width(), height = free ? natural.height() * scale : width * natural.height() / natural.width();
    // Two a page: half of it, unless words leave too little of that.
    const double half = (whole - figureGap) / 2 - around;
    const bool manyTracks = free && !source && natural.height() > mostSqueezed * half;
    if (!source && !manyTracks && half >= lowestPicture)
        height = std::min(height, half);
    height = std::min(height, whole - around);
    height = std::max(height, lowestPicture);
    if (std::holds_alternative<lab::Heatmap>(figure.content)) // cells keep their shape
        width = std::min(width, height * mapShape);
    paper.gap(figureGap);
    if (!free && paper.left() < around + height && paper.left() - around > 0.8 * height)
        height = paper.left() - around; // a little lower, and it shares the page
    paper.need(around + height);
    words.placeTitle(paper, figure);
    paper.place(height, drawView(run, figure, {width, height}, scale));
    words.placeExplain(paper);
}

void placeNote(Paper& paper, const lab::Figure& figure) {
    const auto text = prose(std::get<lab::Note>(figure.content).markdown, paper.width(), 11, Theme::current().ink);
    const Words words(figure, paper.width());
    paper.gap(figureGap);
    paper.need(words.titleHeight + std::min(text->size().height(), 60.0));
    words.placeTitle(paper, figure);
    paper.document(text);
    words.placeExplain(paper);
}

/// A frame of a film strip: which step, its sentence, the scene and its numbers.
struct Frame {
    size_t step;
    QStringList caption;
    double height;
};

void placeStrip(Paper& paper, const lab::Figure& figure) {
    const auto& steps = std::get<lab::Steps>(figure.content);
    const Words words(figure, paper.width());
    const std::vector<size_t> telling = tellingSteps(steps, mostFrames);
    const size_t across = telling.size() == 1 || isRich(steps) ? 1 : 2;
    const double width = (paper.width() - static_cast<double>(across - 1) * frameGap) / static_cast<double>(across);
    double scene = width * frameShape(steps);
    const double pitch = lineHeight(textFont(captionPixels));
    std::vector<Frame> frames;
    for (const size_t step : telling) {
        Frame frame{step, {}, 0};
        frame.caption << QObject::tr("step %1 of %2").arg(step + 1).arg(steps.steps.size());
        frame.caption << wrapped(qt(steps.steps[step].caption), textFont(captionPixels), width - 8);
        QStringList facts;
        for (const auto& fact : shortFacts(steps.steps[step]))
            facts << QString("%1: %2 (%3)").arg(qt(fact.title), qt(fact.text), badgeText(fact.provenance));
        if (!facts.isEmpty())
            frame.caption << wrapped(facts.join("; "), textFont(captionPixels), width - 8);
        frames.push_back(frame);
    }
    if (across == 1) // two a page, below the title as well
        for (const Frame& frame : frames)
            scene = std::min(scene,
                             std::max(lowestPicture, (Paper::room(false).height() - words.titleHeight) / 2 - frameGap -
                                                         static_cast<double>(frame.caption.size()) * pitch));
    for (Frame& frame : frames)
        frame.height = static_cast<double>(frame.caption.size()) * pitch + scene + frameGap;
    paper.gap(figureGap);
    paper.need(words.titleHeight + (frames.empty() ? 0 : frames[0].height));
    words.placeTitle(paper, figure);
    if (frames.empty())
        paper.text(QObject::tr("No step was recorded."), textFont(explainSize), Theme::current().muted);
    for (size_t i = 0; i < frames.size(); i += across) {
        const std::vector<Frame> row(frames.begin() + static_cast<ptrdiff_t>(i),
                                     frames.begin() + static_cast<ptrdiff_t>(std::min(i + across, frames.size())));
        double height = 0;
        for (const Frame& frame : row)
            height = std::max(height, frame.height);
        paper.place(height, [=, &steps](QPainter& painter, const QRectF& box) {
            double left = box.left();
            for (const Frame& frame : row) {
                painter.setFont(textFont(captionPixels, QFont::DemiBold));
                painter.setPen(Theme::current().accent);
                double y = box.top() + QFontMetricsF(painter.font()).ascent();
                for (const QString& line : frame.caption) {
                    painter.drawText(QPointF(left, y), line);
                    painter.setFont(textFont(captionPixels));
                    painter.setPen(Theme::current().ink);
                    y += pitch;
                }
                painter.save();
                paintScene(painter, QRectF(left, box.bottom() - frameGap - scene, width, scene), steps,
                           steps.steps[frame.step], leastType);
                painter.restore();
                left += width + frameGap;
            }
        });
    }
    words.placeExplain(paper);
}

} // namespace

double frameShape(const lab::Steps& steps) {
    constexpr double lowest = 0.3, tallest = 0.66;
    return steps.stretches || steps.width <= 0 ? tallest : std::clamp(steps.height / steps.width, lowest, tallest);
}

bool isRich(const lab::Steps& steps) {
    return std::any_of(steps.steps.begin(), steps.steps.end(),
                       [](const auto& step) { return !step.matrices.empty() || !step.bars.empty(); });
}

std::vector<lab::Steps::Fact> shortFacts(const lab::Steps::Step& step) {
    constexpr size_t most = 70, mostFacts = 6; // bytes; more facts than that are a table
    if (step.facts.size() > mostFacts)
        return {};
    std::vector<lab::Steps::Fact> facts;
    for (const auto& fact : step.facts)
        if (fact.title.size() + fact.text.size() <= most)
            facts.push_back(fact);
    return facts;
}

std::function<bool(Paper&)> figurePrinter(const lab::RunRecord& run, const lab::Figure& figure) {
    if (std::holds_alternative<lab::Table>(figure.content)) {
        const auto table = std::make_shared<TablePrint>(figure);
        return [&figure, table](Paper& paper) {
            if (!table->measure())
                return false;
            paper.turn(table->plan().landscape);
            const Words words(figure, paper.width());
            paper.gap(figureGap);
            paper.need(words.titleHeight + table->firstHeight());
            words.placeTitle(paper, figure);
            table->place(paper);
            words.placeExplain(paper);
            return true;
        };
    }
    return [&run, &figure](Paper& paper) {
        if (!std::holds_alternative<lab::Source>(figure.content))
            paper.turn(false);
        if (std::holds_alternative<lab::Note>(figure.content))
            placeNote(paper, figure);
        else if (std::holds_alternative<lab::Steps>(figure.content))
            placeStrip(paper, figure);
        else
            placePicture(paper, run, figure);
        return true;
    };
}

} // namespace warplight::app
