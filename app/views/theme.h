// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/lab/provenance.h"

#include <QColor>
#include <QFont>
#include <QString>
#include <cstdint>
#include <map>
#include <string>

namespace warplight::app {

/// The program's colours and fonts: one light and one dark set. Views ask it while painting, so that switching needs
/// no more than a repaint.
struct Theme {
    bool dark = false;
    QColor ground, panel, line, ink, muted, accent, accentInk, danger, success, warning;

    static const Theme& lightTheme();
    static const Theme& darkTheme();
    /// The theme in force; `setCurrent` also sets palette and style sheet of the application and repaints everything.
    static const Theme& current();
    static void setCurrent(const Theme& theme);
    class Drawing;

    /// Okabe-Ito: a key ("flash") has one colour on every page and in every run; unknown keys get a stable one by hash
    /// that avoids its neighbours' where possible.
    QColor series(const QString& colourKey) const;
    /// Colours of labs: keys and their slots of the palette, as a Description and a RunStarted have them.
    static void keepColours(const std::map<std::string, int64_t>& ofKeys);
    static bool keepsColour(const QString& colourKey); ///< has a colour of its own on every page
    /// Position 0..1 in viridis.
    static QColor viridis(double position);
    /// Position -1..1 in a diverging, colour-blind-safe palette whose middle is the panel's ground.
    QColor diverging(double position) const;
    /// Outside every palette: NaN and infinities (views hatch them as well).
    QColor nonFinite() const;
};

/// Inter and JetBrains Mono, embedded; sizes follow the zoom factor (presentation mode scales them up).
void loadFonts();
QFont textFont(double points = 0, QFont::Weight weight = QFont::Normal); ///< 0 = base size (13 px)
QFont monoFont(double points = 0);                                       ///< tabular figures
double uiScale();
void setUiScale(double factor);

/// While it lives, views draw in this theme and in plain size, whatever the window has: for print. The application's
/// palette and style sheet stay.
class Theme::Drawing {
  public:
    explicit Drawing(const Theme& theme);
    ~Drawing();
    Drawing(const Drawing&) = delete;
    Drawing& operator=(const Drawing&) = delete;

  private:
    const Theme* themeBefore;
    double scaleBefore;
};

/// "measured" etc. as the small badge's text, and whether marks are filled and lines solid for it (measured, counted)
/// or hollow and dashed (modelled), or thin grey (reference).
QString badgeText(lab::Provenance provenance);

/// "16 384" with thin spaces; "1.24 ms", "2.0 GiB", "214 GFLOP/s": value with SI (or binary, for bytes) prefix and
/// unit.
QString numberText(double value, const QString& unit, const QString& format = {});

} // namespace warplight::app
