// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/provenance.h"

#include <QColor>
#include <QRectF>
#include <QString>
#include <QWidget>

#include <vector>

class QPainter;

namespace warplight::app {

class FlowLayout;

/// One thing that a plot draws. Its square is filled where it is measured or counted, hollow where it is modelled, a
/// line where it is a reference.
struct LegendEntry {
    QString id, label;
    QColor colour;
    lab::Provenance provenance = lab::Provenance::Measured;
    bool hidden = false;
};

/// The names of what a plot draws, above it: never on its data. A click on one hides or shows it.
class Legend : public QWidget {
    Q_OBJECT
  public:
    explicit Legend(QWidget* parent = nullptr);

    /// `note` stands behind the entries. A chip keeps its press and the keyboard while the entries' ids stay.
    void setEntries(const std::vector<LegendEntry>& entries, const QString& note = {});

    /// What it takes at this width, more than one line does.
    int moreHeight(int width) const;

    /// In print, where there are no chips to hover, each with its provenance. Returns the height used.
    static double paint(QPainter& painter, const QRectF& area, const std::vector<LegendEntry>& entries);

  signals:
    void toggled(const QString& id, bool hidden);

  private:
    void makeChips(const QStringList& ids, const QString& note);

    FlowLayout* flow;
    QStringList ids;
    QString note;
};

} // namespace warplight::app
