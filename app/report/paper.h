// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QFont>
#include <QRectF>
#include <QSizeF>
#include <QString>
#include <QStringList>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

class QPainter;
class QTextDocument;

namespace warplight::app {

/// The pages of a printed report before there is ink: blocks put one under another, and pages begun as they fill. A4
/// inside its margins, in 1/96 inch, upright or on its side; the foot has room of its own.
class Paper {
  public:
    using Draw = std::function<void(QPainter&, const QRectF&)>; ///< into its place; in the theme that it was placed in
    struct Block {
        QRectF box;
        Draw draw;
    };
    struct Page {
        bool landscape = false;
        std::vector<Block> blocks;
    };
    static constexpr double resolution = 96, marginMillimetres = 16;
    static constexpr double smallest = 10; ///< letters, in pixels: 7.5 points

    /// What blocks have on a page.
    static QSizeF room(bool landscape);
    /// With the foot.
    static QSizeF sheet(bool landscape);

    const std::vector<Page>& pages() const { return all; }
    size_t page() const { return all.size() - 1; } ///< index of the one that is being filled
    double width() const { return room(all.back().landscape).width(); }
    double left() const; ///< height that is free on this page
    bool fresh() const { return all.back().blocks.empty(); }

    void newPage();                       ///< unless this one is empty
    void turn(bool landscape);            ///< this page if it is empty, else the next
    void need(double height);             ///< a new page unless so much is free; nothing where no page has so much
    void gap(double height);              ///< between two blocks, none on top of a page
    void place(double height, Draw draw); ///< whole: on the next page if it does not fit on this one

    /// Words, wrapped, that may go on on the next page.
    void text(const QString& words, const QFont& font, const QColor& colour, double indent = 0);
    void document(const std::shared_ptr<QTextDocument>& text);

    void paint(size_t page, QPainter& painter, const QString& foot) const;

  private:
    std::vector<Page> all{Page()};
    double y = 0;
};

/// As lines no wider than that; words that are wider are cut.
QStringList wrapped(const QString& text, const QFont& font, double width);
double lineHeight(const QFont& font);
/// Markdown in small print, laid out.
std::shared_ptr<QTextDocument> prose(const std::string& markdown, double width, int pixels, const QColor& colour);

} // namespace warplight::app
