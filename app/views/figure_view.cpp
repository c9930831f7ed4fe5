// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/views/figure_view.h"

#include "app/views/heatmap_view.h"
#include "app/views/histogram_view.h"
#include "app/views/metric_view.h"
#include "app/views/note_view.h"
#include "app/views/series_view.h"
#include "app/views/source_view.h"
#include "app/views/steps_view.h"
#include "app/views/table_view.h"
#include "app/views/timeline_view.h"

#include <cstdint>
#include <variant>

namespace warplight::app {
FigureView* FigureView::create(const lab::Figure& figure, QWidget* parent) {
    struct Maker {
        QWidget* parent;
        FigureView* operator()(const lab::Series&) const { return new SeriesView(parent); }
        FigureView* operator()(const lab::Heatmap&) const { return new HeatmapView(parent); }
        FigureView* operator()(const lab::Histogram&) const { return new HistogramView(parent); }
        FigureView* operator()(const lab::Table&) const { return new TableView(parent); }
        FigureView* operator()(const lab::Metric&) const { return new MetricView(parent); }
        FigureView* operator()(const lab::Note&) const { return new NoteView(parent); }
        FigureView* operator()(const lab::Steps&) const { return new StepsView(parent); }
        FigureView* operator()(const lab::Source&) const { return new SourceView(parent); }
        FigureView* operator()(const lab::Timeline&) const { return new TimelineView(parent); }
    };
    FigureView* view = std::visit(Maker{parent}, figure.content);
    view->setFigure(figure);
    return view;
}

void FigureView::setCompared(std::optional<lab::Figure>, const QString&) {}
void FigureView::addTile(const lab::TilePut&) {}
void FigureView::setProbe(int64_t, int64_t, const QStringList&) {}
void FigureView::setDetached(bool) {}

} // namespace warplight::app
